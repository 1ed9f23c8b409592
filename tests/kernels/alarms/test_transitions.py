"""What an event changes in its alarm: every kind, in every state that matters to it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.alarm_states import alarm, changes, item, policy
from tocsin.kernels.alarms.columns import RING
from tocsin.kernels.alarms.transitions import (
    apply_event,
    apply_raise,
    begins_to_flap,
    concerns_episode,
)
from tocsin.kernels.alarms.vocabulary import (
    ACKNOWLEDGE,
    CHANGE,
    CLEAR,
    IS_FLAPPING,
    NOTHING,
    RAISE,
    REVIEW,
    SHELVE,
    UNSHELVE,
    WITHDRAW,
)

INF = np.inf


@pytest.mark.parametrize(
    ("kind", "episode", "latest", "expected"),
    [
        (ACKNOWLEDGE, NOTHING, 3, True),
        (ACKNOWLEDGE, 3, 3, True),
        (ACKNOWLEDGE, 2, 3, False),
        (CLEAR, NOTHING, 3, False),
        (CLEAR, NOTHING, NOTHING, False),
        (CLEAR, 3, 3, True),
        (CLEAR, 0, 0, True),
        (WITHDRAW, 0, 3, False),
    ],
)
def test_an_item_concerns_the_episode_that_it_names(
    kind: int, episode: int, latest: int, expected: bool
) -> None:
    assert concerns_episode(item(kind, episode=episode), latest) is expected


@pytest.mark.parametrize("is_current", [False, True])
@pytest.mark.parametrize("row", [NOTHING, 0, 7])
@pytest.mark.parametrize("kind", [RAISE, CHANGE, CLEAR, WITHDRAW, REVIEW])
def test_the_latest_row_is_that_of_the_latest_event(kind: int, row: int, is_current: bool) -> None:
    state = alarm(latest_row=4.0)
    apply_event(item(kind, row=row), state, is_current, False, policy())
    is_earlier = kind == WITHDRAW and not is_current
    assert state.latest_row == (4 if row == NOTHING or is_earlier else row)


@pytest.mark.parametrize("active", [0.0, 1.0])
def test_a_clear_and_a_withdrawal_make_an_active_alarm_normal(active: float) -> None:
    for kind, is_current, flapping in product((CLEAR, WITHDRAW), (False, True), (0.0, 1.0)):
        state = alarm(active=active, changed_at=1.0, flapping=flapping)
        before = state.copy()
        found = apply_event(item(kind, 5.0), state, is_current, False, policy(flap_quiet=9.0))
        if kind == WITHDRAW and not is_current:
            assert (found, changes(before, state)) == ((0, False), {})
            continue
        assert found == (-1 if active else 0, False)
        calmed = {"flapping": 0.0} if kind == WITHDRAW and flapping else {}
        ended = {"active": 0.0} if active else {}
        assert changes(before, state) == {**ended, "changed_at": 5.0, **calmed}


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_a_higher_severity_needs_a_new_acknowledgement(value: float) -> None:
    state = alarm(active=1.0, acknowledged=1.0)
    before = state.copy()
    assert apply_event(item(CHANGE, value=value), state, True, False, policy()) == (0, False)
    assert changes(before, state) == ({"acknowledged": 0.0} if value > 0 else {})


def test_shelving_lasts_until_its_end_or_its_recall() -> None:
    state = alarm(active=1.0)
    before = state.copy()
    assert apply_event(item(SHELVE, value=8.0), state, True, False, policy()) == (0, False)
    assert changes(before, state) == {"shelved_until": 8.0}
    assert apply_event(item(UNSHELVE, value=8.0), state, True, False, policy()) == (0, False)
    assert changes(before, state) == {}


@pytest.mark.parametrize(
    ("active", "announced", "moved", "begun"),
    [(0.0, 0.0, 1, True), (1.0, 0.0, 0, True), (0.0, 1.0, 1, False), (1.0, 1.0, 0, False)],
)
def test_a_raise_begins_an_episode_unless_the_last_one_is_announced(
    active: float, announced: float, moved: int, begun: bool
) -> None:
    state = alarm(
        active=active, announced=announced, acknowledged=1.0, returned=1.0, episode_row=2.0
    )
    found = apply_event(item(RAISE, 5.0, row=6), state, True, True, policy())
    assert found == (moved, False)
    after = (state.acknowledged, state.returned, state.episode_row)
    assert after == ((0, 0, 6) if begun else (1, 1, 2))
    assert (state.active, state.changed_at, state.latest_row) == (1, 5, 6)


@pytest.mark.parametrize("delay", [0.0, 4.0])
@pytest.mark.parametrize("has_parent", [False, True])
def test_a_raise_waits_for_a_parent_that_may_follow(delay: float, has_parent: bool) -> None:
    state = alarm(delayed_until=3.0)
    apply_raise(item(RAISE, 5.0), state, has_parent, policy(delay=delay))
    assert state.delayed_until == (9.0 if has_parent and delay else -INF)


@given(st.lists(st.integers(0, 6), max_size=12), st.integers(1, RING), st.integers(1, 12))
def test_an_alarm_flaps_from_the_last_of_some_raises_within_a_time(
    gaps: list[int], raises: int, within: int
) -> None:
    state, times = alarm(), np.cumsum(gaps).tolist()
    rules = policy(flap_raises=raises, flap_within=float(within))
    for at, time in enumerate(times):
        first = times[at - raises + 1] if at + 1 >= raises else -INF
        begins = not state.flapping and time - first < within
        was = state.flapping
        assert begins_to_flap(float(time), state, rules) is begins
        assert state.flapping == (1.0 if begins or was else 0.0)
        kept = [-INF] * RING + times[: at + 1]
        assert state.raises[:raises].tolist() == kept[-raises:]
        assert state.raises[raises:].tolist() == [-INF] * (RING - raises)


def test_without_a_number_of_raises_nothing_flaps_and_no_raise_is_remembered() -> None:
    state = alarm()
    before = state.copy()
    assert begins_to_flap(3.0, state, policy(flap_raises=0, flap_within=INF)) is False
    assert changes(before, state) == {}


@pytest.mark.parametrize(("time", "ends"), [(11.0, False), (12.0, True), (13.0, True)])
def test_flapping_ends_when_the_alarm_was_quiet_for_long_enough(time: float, ends: bool) -> None:
    state = alarm(flapping=1.0, changed_at=5.0, last_reason=0.0)
    before = state.copy()
    apply_event(item(REVIEW, time), state, True, False, policy(flap_quiet=7.0))
    calmed = {"flapping": 0.0, "last_reason": float(IS_FLAPPING)}
    assert changes(before, state) == (calmed if ends else {})
    steady = alarm(changed_at=5.0)
    apply_event(item(REVIEW, time), steady, True, False, policy(flap_quiet=7.0))
    assert changes(alarm(changed_at=5.0), steady) == {}


def test_a_raise_reports_that_flapping_begins_with_it() -> None:
    state, rules = alarm(), policy(flap_raises=2, flap_within=5.0, flap_quiet=9.0)
    found = [apply_event(item(RAISE, t), state, True, False, rules) for t in (1.0, 4.0, 5.0)]
    assert found == [(1, False), (0, True), (0, False)]
