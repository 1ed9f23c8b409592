"""The life of an alarm as a recurrence over scores: raise, update, escalate, step down, clear; hysteresis and delays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.compiled import compiled

# Columns of an alarm's state.
(
    RAISED,
    RECENT,
    BELOW,
    START,
    PEAK,
    REPORTED,
    FIRST_ABOVE,
    FIRST_BELOW,
    LEVEL,
    UNDER,
    FIRST_UNDER,
    UNDER_PEAK,
) = range(12)
WIDTH = 12
EVENTS = ("none", "raise", "update", "clear", "escalate", "step_down")
NONE, RAISE, UPDATE, CLEAR, ESCALATE, STEP_DOWN = range(6)


@dataclass(frozen=True)
class Lives:
    """By row: its event, when the alarm began (microseconds), its greatest score, and its level (0: under all levels)."""

    events: Int64s
    starts: Floats
    peaks: Floats
    levels: Int64s


def follow(
    scores: Floats,
    times: Floats,
    starts: Int64s,
    states: Floats,
    *,
    raise_after: int = 1,
    within: int | None = None,
    raise_for: int = 0,
    clear_after: int = 1,
    clear_for: int = 0,
    clear_below: float = 1.0,
    levels: Floats | None = None,
    plain: bool = False,
) -> Lives:
    """Run `alarm_events` over the rows; delays in microseconds; `levels` rise; `states`, a row a segment, is changed."""
    size = len(scores)
    lives = Lives(
        np.zeros(size, np.int64), np.zeros(size), np.zeros(size), np.zeros(size, np.int64)
    )
    rule = np.array(
        [raise_after, within or raise_after, raise_for, clear_after, clear_for, clear_below],
        np.float64,
    )
    run = alarm_events.plain if plain else alarm_events
    heights = np.zeros(0) if levels is None else levels
    run(
        scores,
        times,
        starts,
        states,
        rule,
        heights,
        lives.events,
        lives.starts,
        lives.peaks,
        lives.levels,
    )
    return lives


@compiled
def alarm_events(  # type: ignore[no-untyped-def]  # noqa: PLR0915 - one loop, in which nothing can be called
    scores, times, starts, states, rule, levels, out, out_start, out_peak, out_level
):
    """The event of each reading.

    scores: 1 is the alarm line, NaN is no opinion and changes nothing. times: microseconds as float64. states: a row a
    segment. An alarm is raised by a score at or over 1 that is the `raise_after`-th of the last `within` scores and at least
    `raise_for` after the first of them (on-delay), and cleared by the `clear_after`-th score in a row under `clear_below`
    that is at least `clear_for` after the first of them (off-delay). It starts at the first of the readings that raised it;
    where they need not be in a row, at the first one over the line since `within` scores in a row were under it.

    It escalates when a score reaches a higher one of `levels`. It steps down as it clears: when the scores have been under
    its level times `clear_below` for so many readings and so long, to the level of the highest of them. It is updated when
    its peak score has doubled since the last event.
    """
    raise_after, within, raise_for = rule[0], rule[1], rule[2]
    clear_after, clear_for, clear_below = rule[3], rule[4], rule[5]
    for segment in range(len(starts) - 1):
        state = states[segment]
        for row in range(starts[segment], starts[segment + 1]):
            out[row] = 0
            score, time = scores[row], times[row]
            if np.isnan(score):
                continue
            if state[0] == 0.0:
                over = score >= 1.0
                if not over and within == raise_after:
                    state[1] = 0.0
                    continue
                if over and state[1] == 0.0:
                    state[6], state[4] = time, score
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
                    if count >= raise_after and time - state[6] >= raise_for:
                        state[0], state[2], state[9] = 1.0, 0.0, 0.0
                        state[3], state[5] = state[6], state[4]
                        state[8] = 0.0
                        for level in levels:
                            state[8] += 1.0 if state[4] >= level else 0.0
                        out[row] = 1
            else:
                state[4] = max(state[4], score)
                if score < clear_below:
                    if state[2] == 0.0:
                        state[7] = time
                    state[2] += 1.0
                    if state[2] >= clear_after and time - state[7] >= clear_for:
                        out[row] = 3
                else:
                    state[2] = 0.0
                if out[row] == 0:
                    reached = 0.0
                    for level in levels:
                        reached += 1.0 if score >= level else 0.0
                    if reached > state[8]:
                        state[8], state[9], state[5] = reached, 0.0, state[4]
                        out[row] = 4
                    elif state[8] > 0.0 and score < levels[int(state[8]) - 1] * clear_below:
                        if state[9] == 0.0:
                            state[10], state[11] = time, score
                        state[9] += 1.0
                        state[11] = max(state[11], score)
                        if state[9] >= clear_after and time - state[10] >= clear_for:
                            state[8] = 0.0
                            for level in levels:
                                state[8] += 1.0 if state[11] >= level else 0.0
                            state[9] = 0.0
                            out[row] = 5
                    else:
                        state[9] = 0.0
                    if out[row] == 0 and state[4] >= 2.0 * state[5] and state[4] > state[5]:
                        state[5] = state[4]
                        out[row] = 2
            out_start[row], out_peak[row], out_level[row] = state[3], state[4], int(state[8])
            if out[row] == 3:
                state[0], state[1], state[2], state[9] = 0.0, 0.0, 0.0, 0.0
