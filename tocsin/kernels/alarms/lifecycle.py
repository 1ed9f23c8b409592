"""The life cycle of an alarm: raise, update, escalate, step down, clear; hysteresis and delays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tocsin.kernels.alarms.columns import LIFECYCLE_STATE, LIFECYCLE_WIDTH, SEVERITIES, by_name
from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.compiled import compiled, kernel

WIDTH = LIFECYCLE_WIDTH
EVENTS = ("none", "raise", "update", "clear", "escalate", "step_down")
NONE, RAISE, UPDATE, CLEAR, ESCALATE, STEP_DOWN = range(6)
MAX_LEVELS = SEVERITIES - 1


class Transitions(NamedTuple):
    """By row: its event and, where it has one, the alarm's start, highest score and level.

    events: one of EVENTS. starts: microseconds. levels: number of levels reached.
    """

    events: Int64s
    starts: Floats
    peaks: Floats
    levels: Int64s


class Rule(NamedTuple):
    """When an alarm is raised and cleared; counts of scores, delays in microseconds.

    levels: as many as there may be, the missing ones NaN. A tuple of a fixed length, because a
    call of a compiled function counts the references of each array that it passes.
    """

    raise_after: int
    within: int
    raise_for: float
    clear_after: int
    clear_for: float
    clear_below: float
    levels: tuple[float, ...]


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
) -> Transitions:
    """The events of scored readings, segment by segment.

    scores: 1 is the alarm line; NaN changes nothing. times: microseconds. starts: the first row of
    each segment, then the number of rows. states: shape (segments, WIDTH), changed. levels:
    ascending scores at which the severity changes, at most MAX_LEVELS. plain: do not compile.

    - Raise: a score of at least 1 is the `raise_after`-th of the last `within` scores (by default:
      in a row), at least `raise_for` after the first. The alarm starts at that first one; with
      `within`, at the first score over the line after `within` scores in a row under it.
    - Clear: the `clear_after`-th score in a row under `clear_below`, at least `clear_for` after the
      first.
    - Escalate: a score reaches a higher level.
    - Step down: as for clear, with scores under the level times `clear_below`; to the level of the
      highest of them.
    - Update: the highest score has doubled since the last raise, escalation or update.
    """
    size = len(scores)
    found = Transitions(
        np.zeros(size, np.int64), np.zeros(size), np.zeros(size), np.zeros(size, np.int64)
    )
    rule = Rule(
        int(raise_after),
        int(within or raise_after),
        float(raise_for),
        int(clear_after),
        float(clear_for),
        float(clear_below),
        _padded([] if levels is None else levels.tolist()),
    )
    run = alarm_events.plain if plain else alarm_events
    run(scores, times, starts, by_name(states, LIFECYCLE_STATE), rule, found)
    return found


def _padded(levels: list[float]) -> tuple[float, ...]:
    if len(levels) > MAX_LEVELS:
        raise ValueError(f"{len(levels)} levels; an alarm may have {MAX_LEVELS}")
    return (*levels, *[float("nan")] * (MAX_LEVELS - len(levels)))


@compiled
def alarm_events(
    scores: Floats,
    times: Floats,
    starts: Int64s,
    states: Any,
    rule: Rule,
    found: Transitions,
) -> None:
    """Fill `found`, which is 0 throughout. states: LIFECYCLE_STATE by segment, changed."""
    events, began, peaks, reached = found
    for segment in range(len(starts) - 1):
        state = states[segment]
        for row in range(starts[segment], starts[segment + 1]):
            score = scores[row]
            if np.isnan(score):
                continue
            if state.active == 1.0:
                event = follow_active(score, times[row], state, rule)
            else:
                event = follow_normal(score, times[row], state, rule)
            if event != NONE:
                events[row] = event
                began[row], peaks[row] = state.started_at, state.peak
                reached[row] = int(state.level)


@kernel
def follow_normal(score: float, time: float, state: Any, rule: Rule) -> int:
    """RAISE if the score raises the alarm, else NONE."""
    is_above = score >= 1.0
    if not is_above and rule.within == rule.raise_after:
        state.recent = 0.0
        return NONE
    if is_above and state.recent == 0.0:
        state.first_above_at, state.peak = time, score
    count = count_recent(is_above, state, rule)
    if not is_above:
        return NONE
    state.peak = max(state.peak, score)
    if count < rule.raise_after or time - state.first_above_at < rule.raise_for:
        return NONE
    state.active, state.below_clear, state.below_level = 1.0, 0.0, 0.0
    state.started_at, state.reported_peak = state.first_above_at, state.peak
    state.level = level_of(state.peak, rule)
    return RAISE


@kernel
def count_recent(is_above: bool, state: Any, rule: Rule) -> int:
    """Add a score to `recent`; the number of those over the line that count."""
    if rule.within == rule.raise_after:
        state.recent += 1.0
        return int(state.recent)
    # The last scores as bits, the latest in the lowest place.
    state.recent = (2.0 * state.recent + (1.0 if is_above else 0.0)) % 2.0**rule.within
    count, left = 0, int(state.recent)
    while left:
        count += left % 2
        left //= 2
    return count


@kernel
def follow_active(score: float, time: float, state: Any, rule: Rule) -> int:
    """The event of a score while the alarm is active."""
    state.peak = max(state.peak, score)
    if clears(score, time, state, rule):
        state.active, state.recent = 0.0, 0.0
        return CLEAR
    event = change_level(score, time, state, rule)
    has_doubled = state.peak >= 2.0 * state.reported_peak and state.peak > state.reported_peak
    if event == NONE and has_doubled:
        state.reported_peak = state.peak
        return UPDATE
    return int(event)


@kernel
def clears(score: float, time: float, state: Any, rule: Rule) -> bool:
    """Count a score under the clear line; whether it clears the alarm."""
    if score >= rule.clear_below:
        state.below_clear = 0.0
        return False
    if state.below_clear == 0.0:
        state.first_below_clear_at = time
    state.below_clear += 1.0
    is_long = time - state.first_below_clear_at >= rule.clear_for
    return bool(state.below_clear >= rule.clear_after and is_long)


@kernel
def change_level(score: float, time: float, state: Any, rule: Rule) -> int:
    """ESCALATE to a higher level, STEP_DOWN to a lower one, or NONE."""
    reached = level_of(score, rule)
    if reached > state.level:
        state.level, state.below_level, state.reported_peak = reached, 0.0, state.peak
        return ESCALATE
    if state.level == 0.0 or score >= rule.levels[int(state.level) - 1] * rule.clear_below:
        state.below_level = 0.0
        return NONE
    if state.below_level == 0.0:
        state.first_below_level_at, state.peak_below_level = time, score
    state.below_level += 1.0
    state.peak_below_level = max(state.peak_below_level, score)
    is_long = time - state.first_below_level_at >= rule.clear_for
    if state.below_level < rule.clear_after or not is_long:
        return NONE
    state.level, state.below_level = level_of(state.peak_below_level, rule), 0.0
    return STEP_DOWN


@kernel
def level_of(score: float, rule: Rule) -> float:
    """How many of the levels a score reaches."""
    reached = 0.0
    for level in rule.levels:
        reached += 1.0 if score >= level else 0.0
    return reached


def raise_without_score(states: Floats, slots: Int64s, times: Int64s) -> None:
    """Mark alarms as raised without a score. states: shape (alarms, WIDTH), changed."""
    alarms = by_name(states, LIFECYCLE_STATE)
    for name in ("active", "recent", "peak", "reported_peak"):
        alarms[name][slots] = 1.0
    for name in ("started_at", "first_above_at"):
        alarms[name][slots] = times


def is_active(states: Floats) -> Floats:
    """1 for each alarm that is raised, else 0. states: shape (alarms, WIDTH)."""
    found: Floats = by_name(states, LIFECYCLE_STATE).active
    return found
