"""The life of an alarm as a recurrence over scores: raise, update, clear, with hysteresis and delays in readings."""

from __future__ import annotations

import numpy as np

from tocsin.columns.compiled import compiled

# Columns of an alarm's state.
RAISED, ABOVE, BELOW, START, PEAK, REPORTED, FIRST_ABOVE = range(7)
WIDTH = 7
EVENTS = ("none", "raise", "update", "clear")
NONE, RAISE, UPDATE, CLEAR = range(4)


@compiled
def alarm_events(scores, times, starts, states, raise_after, within, clear_after, clear_below, levels, out, out_start, out_peak):  # type: ignore[no-untyped-def]
    """The event of each reading.

    scores: 1 is the alarm line, NaN is no opinion and changes nothing. times: microseconds as float64. states: a row a
    segment. An alarm is raised by a score at or over 1 that is the `raise_after`-th of the last `within` scores, and cleared by
    the `clear_after`-th score in a row under `clear_below`. It is updated when its peak score has doubled since the last event,
    or has reached the next of `levels` (rising). It starts at the first of the readings that raised it; where they need not be
    in a row, at the first one over the line since `within` scores in a row were under it.
    """
    for segment in range(len(starts) - 1):
        state = states[segment]
        for row in range(starts[segment], starts[segment + 1]):
            out[row] = 0
            score = scores[row]
            if np.isnan(score):
                continue
            if state[0] == 0.0:
                over = score >= 1.0
                if not over and within == raise_after:
                    state[1] = 0.0
                    continue
                if over and state[1] == 0.0:
                    state[6] = times[row]
                    state[4] = score
                if within == raise_after:
                    state[1] += 1.0
                    count = int(state[1])
                else:
                    # The last scores as bits, the latest in the lowest place.
                    state[1] = (2.0 * state[1] + (1.0 if over else 0.0)) % 2.0**within
                    count, left = 0, int(state[1])
                    while left:
                        count += left % 2
                        left //= 2
                if over:
                    state[4] = max(state[4], score)
                    if count >= raise_after:
                        state[0], state[2] = 1.0, 0.0
                        state[3], state[5] = state[6], state[4]
                        out[row] = 1
            else:
                state[4] = max(state[4], score)
                if score < clear_below:
                    state[2] += 1.0
                    if state[2] >= clear_after:
                        out[row] = 3
                else:
                    state[2] = 0.0
                    risen = state[4] >= 2.0 * state[5] and state[4] > state[5]
                    for level in levels:
                        risen = risen or state[5] < level <= state[4]
                    if risen:
                        state[5] = state[4]
                        out[row] = 2
            out_start[row] = state[3]
            out_peak[row] = state[4]
            if out[row] == 3:
                state[0], state[1], state[2] = 0.0, 0.0, 0.0
