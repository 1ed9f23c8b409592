"""Each reason to suppress an alarm: when it begins, when it ends, and which one comes first."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.alarm_states import alarm, alarms, changes, item, policy
from tocsin.kernels.alarms.inputs import Alarms, Assets, Schedule
from tocsin.kernels.alarms.suppression import (
    add_dependants,
    has_active_parent,
    is_turning_point,
    opening,
    suppression,
)
from tocsin.kernels.alarms.vocabulary import (
    ACKNOWLEDGE,
    CLEAR,
    DELAYED,
    INHIBITED,
    IS_FLAPPING,
    IS_SHELVED,
    NO_REASON,
    NOTHING,
    OFF_SCHEDULE,
    RAISE,
    REVIEW,
    WITHDRAW,
)

OPEN, SHUT = (True, 50.0), (False, 60.0)
INF = np.inf


def found(kind: int = REVIEW, time: float = 10.0, **given: Any) -> tuple[int, float]:
    inhibited, rank, hours = given.pop("inhibited", False), given.pop("rank", 2), given.pop("hours")
    state = alarm(**given)
    before = state.copy()
    rules = policy(flap_quiet=7.0, always_from=4)
    answer = suppression(item(kind, time), state, inhibited, rank, hours, rules)
    assert changes(before, state) == {}
    return answer


def test_an_alarm_without_a_reason_is_reviewed_when_the_schedule_changes() -> None:
    assert found(hours=OPEN) == (NO_REASON, 50.0)
    assert found(hours=SHUT) == (OFF_SCHEDULE, 60.0)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, IS_FLAPPING),
        ({"flapping": 0.0}, OFF_SCHEDULE),
        ({"active": 1.0}, OFF_SCHEDULE),
        ({"announced": 0.0}, OFF_SCHEDULE),
        ({"kind": ACKNOWLEDGE}, OFF_SCHEDULE),
        ({"kind": WITHDRAW}, OFF_SCHEDULE),
        ({"kind": CLEAR}, IS_FLAPPING),
        ({"shelved_until": 99.0}, IS_FLAPPING),
    ],
)
def test_a_flapping_alarm_that_is_over_stays_announced_until_it_is_quiet(
    changed: dict[str, Any], reason: int
) -> None:
    over = {"kind": RAISE, "announced": 1.0, "flapping": 1.0, "changed_at": 8.0, "hours": SHUT}
    until = 8.0 + 7.0 if reason == IS_FLAPPING else 60.0
    assert found(**{**over, **changed}) == (reason, until)


@pytest.mark.parametrize(
    ("until", "expected"), [(9.0, (NO_REASON, 50.0)), (10.0, (NO_REASON, 50.0)), (11.0, None)]
)
def test_a_shelving_ends_at_its_end(until: float, expected: tuple[int, float] | None) -> None:
    assert found(shelved_until=until, hours=OPEN) == (expected or (IS_SHELVED, until))


def test_a_shelving_comes_before_an_upstream_alarm_and_that_before_the_schedule() -> None:
    every = {"delayed_until": 20.0, "hours": SHUT}
    assert found(shelved_until=11.0, inhibited=True, **every) == (IS_SHELVED, 11.0)
    assert found(inhibited=True, **every) == (INHIBITED, INF)
    assert found(**every) == (OFF_SCHEDULE, 60.0)
    assert found(delayed_until=20.0, hours=OPEN) == (DELAYED, 20.0)


@pytest.mark.parametrize(
    ("rank", "expected"),
    [(3, (OFF_SCHEDULE, 60.0)), (4, (NO_REASON, INF)), (5, (NO_REASON, INF))],
)
def test_a_severe_alarm_ignores_the_schedule(rank: int, expected: tuple[int, float]) -> None:
    assert found(rank=rank, hours=SHUT) == expected


@pytest.mark.parametrize(
    ("until", "announced", "expected"),
    [
        (11.0, 0.0, (DELAYED, 11.0)),
        (10.0, 0.0, (NO_REASON, 50.0)),
        (9.0, 0.0, (NO_REASON, 50.0)),
        (11.0, 1.0, (NO_REASON, 50.0)),
    ],
)
def test_only_a_raise_that_nobody_received_waits_for_the_parent(
    until: float, announced: float, expected: tuple[int, float]
) -> None:
    assert found(delayed_until=until, announced=announced, hours=OPEN) == expected


@given(st.lists(st.integers(0, 12), max_size=8, unique=True).map(sorted), st.integers(-1, 13))
def test_a_schedule_is_open_from_its_openings_to_its_closings(ends: list[int], time: int) -> None:
    ends = ends[: len(ends) // 2 * 2]
    schedule = Schedule(np.array(ends[::2], float), np.array(ends[1::2], float))
    following = [end for end in ends if end > time]
    is_open = not ends or bisect_right(ends, time) % 2 == 1
    assert opening(float(time), schedule) == (is_open, following[0] if following else INF)


def test_spans_of_a_schedule_may_touch() -> None:
    schedule = Schedule(np.array([1.0, 3.0]), np.array([3.0, 5.0]))
    assert opening(2.0, schedule) == (True, 3.0)
    assert opening(3.0, schedule) == (True, 5.0)
    assert opening(5.0, schedule) == (False, INF)


# Asset 0 is upstream of 1, that of 2; asset 3 has no parent.
PARENTS = np.array([-1, 0, 1, -1])


@given(st.lists(st.integers(0, 2), min_size=4, max_size=4), st.integers(-1, 3))
def test_an_asset_is_inhibited_by_any_active_asset_upstream(active: list[int], asset: int) -> None:
    upstream = {-1: [], 0: [0], 1: [1, 0], 2: [2, 1, 0], 3: [3]}[asset]
    expected = any(active[one] for one in upstream)
    assert has_active_parent(asset, PARENTS, np.array(active)) == expected


@pytest.mark.parametrize("asset", [-1, 0, 1])
@pytest.mark.parametrize("moved", [-1, 0, 1])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_first_and_the_last_active_alarm_of_a_parent_are_turning_points(
    asset: int, moved: int, count: int
) -> None:
    active, has_children = np.array([count, count]), np.array([True, False])
    expected = asset == 0 and (moved, count) in ((1, 0), (-1, 1))
    assert is_turning_point(asset, moved, has_children, active) is expected
    counts = [count + moved if one == asset else count for one in range(2)]
    assert active.tolist() == counts


@pytest.mark.parametrize("delay", [0.0, 5.0])
@pytest.mark.parametrize("is_active", [0, 1])
def test_active_alarms_downstream_of_an_asset_are_reviewed(delay: float, is_active: int) -> None:
    states = alarms(5, active=[1.0, 0.0, 1.0, 1.0, 1.0])
    before = states.copy()
    # Alarm 0 is of asset 1, alarm 1 and 2 of asset 2, alarm 3 of asset 0, alarm 4 of asset 3.
    below = Alarms(states, np.array([1, 2, 2, 0, 3]), np.array([0, 1, 1, -1, -1]))
    active, pending = np.array([is_active, 0, 0, 0]), [NOTHING]
    add_dependants(0, 10.0, below, Assets(PARENTS, PARENTS >= 0, active), delay, pending)
    assert pending == [NOTHING, 0, 2]
    waits = {"delayed_until": 15.0} if delay and not is_active else {}
    assert [changes(*pair) for pair in zip(before, states, strict=True)] == [
        waits, {}, waits, {}, {},
    ]  # fmt: skip


def test_alarms_of_siblings_are_not_reviewed() -> None:
    states = alarms(2, active=1.0)
    below = Alarms(states, np.array([1, 3]), np.array([0, -1]))
    pending = [NOTHING]
    add_dependants(3, 10.0, below, Assets(PARENTS, PARENTS >= 0, np.zeros(4, int)), 1.0, pending)
    assert pending == [NOTHING]
