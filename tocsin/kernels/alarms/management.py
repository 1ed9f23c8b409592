"""What people are told of alarms, as one pass over events and wakes in order of time: the states of ISA-18.2 and IEC 62682."""

from __future__ import annotations

import heapq

import numpy as np

from tocsin.kernels.compiled import compiled

# What comes in.
RAISE, CHANGE, CLEAR, ACKNOWLEDGE, SHELVE, UNSHELVE, WITHDRAW = range(7)
# What goes out.
TOLD = ("raise", "change", "clear", "acknowledge", "suppress", "resume", "withdraw", "flapping")
# Why something is kept quiet, or is not any more.
REASONS = (
    "",
    "inhibited",
    "shelved",
    "outside of its schedule",
    "flapping",
    "held back for an alarm of what it hangs on",
)
# The alarm after an event.
STATES = (
    "normal",
    "unacknowledged",
    "acknowledged",
    "returned_unacknowledged",
    "shelved",
    "suppressed",
)
# Columns of an alarm's state. ROW and EPISODE are rows: the latest event, and the raise that people were or would be told of.
(ACTIVE, SHOWN, ACKNOWLEDGED, RETURNED, SHELVED_UNTIL, WAIT_UNTIL, QUIET, HIDDEN, FLAPS, CHANGED, WAKE, ROW, EPISODE, SINCE,
 LAST_REASON, RAISES) = range(16)  # fmt: skip
RING = 8
WIDTH = RAISES + RING
# Columns of what is told. COMMAND: the row of the command that caused it, or -1.
(AT, WHOSE, WHAT, IS_HIDDEN, WHY, LATEST, BEGAN, STATE, COMMAND) = range(9)
# Columns of a look at all alarms; after them, by rank of severity, the raises that people were told of since the last.
(LOOKED, STANDING, UNACKNOWLEDGED, STALE, ALL_SHELVED, SUPPRESSED, FLAPPING, RAISED) = range(8)
RANKS = 5


@compiled
def annunciate(  # type: ignore[no-untyped-def]  # noqa: PLR0915 - one loop, in which nothing can be called
    times, slots, kinds, values, rows, codes, ranks, states, equipment, hangs_on, above, holds_up, standing, opens, closes, rule,
    horizon, look, every, raised,
):  # fmt: skip
    """Go through events and wakes in order of time.

    times: of events, in order, microseconds. slots: whose. kinds: RAISE to WITHDRAW. values: of SHELVE its end, of CHANGE
    whether it is for the worse, of ACKNOWLEDGE the code of the one alarm that it is for, or -1. rows: which row of an alarm
    tells more of the event, -1 for commands. codes, ranks: by row, the alarm's identity and severity. states: a row an alarm,
    changed. equipment: by alarm, what it is about, or -1. hangs_on: by alarm, what that hangs on, or -1. above: by equipment,
    what it hangs on, or -1. holds_up: by equipment, whether anything hangs on it. standing: by equipment, how many alarms of
    it are active; changed. opens, closes: times between which people are told; none: always. rule: how long a raise waits for
    the alarm of what it hangs on; how many raises, within how long, are flapping; after what quiet it ends; the rank from
    which on people are told at all times. horizon: wakes before it are due. look: when the next look at all alarms is, `every`
    so often; NaN: never. raised: by rank, raises told since the last look; changed.

    Gives what people are told, the looks, and the time of the next one.
    """
    wait, flap_count, flap_within, flap_quiet = rule[0], int(rule[1]), rule[2], rule[3]
    told = np.empty((max(64, 2 * len(times)), 9))
    count = 0
    looks = np.empty((16, 12))
    looked = 0
    heap = [(np.inf, -1)]
    for s in range(len(states)):
        if not np.isnan(states[s, 10]):
            heapq.heappush(heap, (states[s, 10], s))
    pending = [-1]
    at = 0
    time = -np.inf
    while True:
        event, row, value, command = -1, -1, 0.0, -1
        if len(pending) > 1:
            slot = pending.pop()
        else:
            wake = heap[0][0]
            has_event = at < len(times)
            is_wake = wake < times[at] if has_event else wake < horizon
            following = wake if is_wake else times[at] if has_event else horizon
            if look <= following and (is_wake or has_event or look < horizon):
                if looked == len(looks):
                    longer = np.empty((2 * looked, 12))
                    longer[:looked] = looks
                    looks = longer
                looks[looked] = 0.0
                looks[looked, 0] = look
                for s in range(len(states)):
                    if states[s, 1] == 1.0:
                        looks[looked, 1] += 1.0
                        looks[looked, 2] += 1.0 if states[s, 2] == 0.0 else 0.0
                        looks[looked, 3] += 1.0 if look - states[s, 13] > 86_400e6 else 0.0
                    looks[looked, 4] += 1.0 if states[s, 4] > look else 0.0
                    looks[looked, 5] += 1.0 if states[s, 6] == 1.0 or states[s, 7] == 1.0 else 0.0
                    looks[looked, 6] += 1.0 if states[s, 8] == 1.0 else 0.0
                for rank in range(5):
                    looks[looked, 7 + rank] = raised[rank]
                    raised[rank] = 0.0
                looked += 1
                look += every
                continue
            if is_wake:
                time, slot = heapq.heappop(heap)
                if states[slot, 10] != time:
                    continue
                states[slot, 10] = np.nan
            elif has_event:
                time, slot, event, row, value = (
                    times[at],
                    slots[at],
                    kinds[at],
                    rows[at],
                    values[at],
                )
                command = at if row < 0 else -1
                at += 1
            else:
                break
        state = states[slot]
        was_shown = state[1] == 1.0
        is_this = state[12] >= 0.0 and row >= 0 and codes[int(state[12])] == codes[row]

        # What the event changes by itself.
        moved, is_worse, begins_to_flap = 0, False, False
        if row >= 0 and (event != 6 or is_this):
            state[11] = row
        if event == 0:
            moved = 1 if state[0] == 0.0 else 0
            if not was_shown:
                state[2], state[3], state[12] = 0.0, 0.0, row
            state[0], state[9] = 1.0, time
            state[5] = time + wait if wait > 0.0 and hangs_on[slot] >= 0 else -np.inf
            if flap_count > 0:
                for turn in range(flap_count - 1):
                    state[15 + turn] = state[16 + turn]
                state[15 + flap_count - 1] = time
                if state[8] == 0.0 and state[15] > time - flap_within:
                    state[8], begins_to_flap = 1.0, True
        elif event == 1:
            is_worse = value > 0.0
            if is_worse:
                # What was acknowledged was less severe.
                state[2] = 0.0
        elif event == 2 or (event == 6 and is_this):
            moved = -1 if state[0] == 1.0 else 0
            state[0], state[9] = 0.0, time
            state[8] = 0.0 if event == 6 else state[8]
        elif event == 4:
            state[4] = value
        elif event == 5:
            state[4] = 0.0
        if moved != 0 and equipment[slot] >= 0:
            standing[equipment[slot]] += moved
            if holds_up[equipment[slot]] and standing[equipment[slot]] == (1 if moved == 1 else 0):
                for s in range(len(states)):
                    over = hangs_on[s]
                    while over >= 0 and over != equipment[slot]:
                        over = above[over]
                    if over >= 0 and states[s, 0] == 1.0:
                        pending.append(s)
                        if moved == -1 and wait > 0.0:
                            # What hangs on it comes back a little later.
                            states[s, 5] = time + wait
        if state[8] == 1.0 and time >= state[9] + flap_quiet:
            state[8], state[14] = 0.0, 4.0

        # Whether it is kept quiet, and until when at least.
        reason, until = 0, np.nan
        over = hangs_on[slot]
        while over >= 0 and standing[over] == 0:
            over = above[over]
        if state[4] > time:
            reason, until = 2, state[4]
        elif over >= 0:
            reason = 1
        else:
            if len(opens) > 0 and (state[11] < 0.0 or ranks[int(state[11])] < rule[4]):
                place = int(np.searchsorted(opens, time, side="right")) - 1
                if place >= 0 and time < closes[place]:
                    until = closes[place]
                else:
                    reason = 3
                    until = opens[place + 1] if place + 1 < len(opens) else np.nan
            if reason == 0 and not was_shown and time < state[5]:
                reason, until = 5, state[5]
        tell, hidden, why = -1, 0.0, reason
        if event == 3:
            named = value < 0.0 or (state[12] >= 0.0 and codes[int(state[12])] == value)
            if named and state[3] == 1.0:
                state[3], tell = 0.0, 3
            elif named and was_shown and state[2] == 0.0:
                state[2], tell = 1.0, 3
            why = 0
        elif event == 6 and not is_this:
            # People were told of it, and of others since.
            tell, why = 6, 0
        elif state[0] == 1.0 and not was_shown:
            if reason > 0:
                if state[7] == 0.0 or event == 1:
                    tell, hidden = (0 if state[7] == 0.0 else 1), 1.0
                    state[7] = 1.0
            else:
                why = 4 if state[8] == 1.0 else int(state[14]) if state[7] == 1.0 else 0
                state[1], state[6], state[7], state[13], tell = 1.0, 0.0, 0.0, time, 0
                raised[ranks[int(state[11])]] += 1.0
        elif state[0] == 1.0:
            if reason > 0 and state[6] == 0.0:
                state[6], tell = 1.0, 4
            elif reason == 0 and state[6] == 1.0:
                state[6], tell, why = 0.0, 5, int(state[14])
            elif begins_to_flap or event == 1:
                tell, hidden, why = (
                    (7 if begins_to_flap else 1),
                    state[6],
                    (4 if begins_to_flap else reason),
                )
        elif was_shown:
            if state[8] == 1.0:
                reason, until = 4, state[9] + flap_quiet
            else:
                why = int(state[14]) if event < 0 else 0
                state[3] = 1.0 if state[2] == 0.0 and event != 6 else 0.0
                state[1], state[6], tell = 0.0, 0.0, (6 if event == 6 else 2)
        elif state[7] == 1.0:
            state[7], tell, hidden, why = 0.0, (6 if event == 6 else 2), 1.0, int(state[14])
        elif event == 6:
            # It was cleared already, and never was.
            state[3], tell, why = 0.0, 6, 0
        if reason > 0:
            state[14] = reason

        # When it has to be looked at again.
        if state[8] == 1.0:
            until = (
                min(until, state[9] + flap_quiet) if not np.isnan(until) else state[9] + flap_quiet
            )
        if state[0] == 0.0 and state[1] == 0.0 and state[8] == 0.0:
            until = np.nan
        if until > time and state[10] != until:
            state[10] = until
            heapq.heappush(heap, (until, slot))
        if tell >= 0:
            if count == len(told):
                longer = np.empty((2 * count, 9))
                longer[:count] = told
                told = longer
            after = 3 if state[3] == 1.0 else 0
            if state[0] == 1.0 or state[1] == 1.0:
                after = (
                    4 if reason == 2 else 5 if reason in (1, 3, 5) else 2 if state[2] == 1.0 else 1
                )
            told[count, 0], told[count, 1], told[count, 2], told[count, 3] = (
                time,
                slot,
                tell,
                hidden,
            )
            told[count, 4], told[count, 5] = why, row if event == 6 and not is_this else state[11]
            told[count, 6], told[count, 7], told[count, 8] = (
                (-1.0 if event == 6 and not is_this else state[12]),
                after,
                command,
            )
            count += 1
    return told[:count], looks[:looked], look
