"""What operators receive for an item, for every state that an alarm can have."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.support.alarm_states import alarm, changes, item
from tocsin.kernels.alarms.columns import NOTIFICATION
from tocsin.kernels.alarms.inputs import Response
from tocsin.kernels.alarms.notification import (
    is_announcement,
    isa_state,
    notify,
    notify_acknowledgement,
    notify_raise,
    notify_return,
    notify_standing,
    write_notification,
)
from tocsin.kernels.alarms.vocabulary import (
    ACKNOWLEDGE,
    CHANGE,
    CLEAR,
    DELAYED,
    FLAPPING,
    INHIBITED,
    IS_FLAPPING,
    IS_SHELVED,
    NO_REASON,
    NOTHING,
    OFF_SCHEDULE,
    RAISE,
    REASONS,
    RESUME,
    REVIEW,
    STATE_ACKNOWLEDGED,
    STATE_NORMAL,
    STATE_RETURNED,
    STATE_SHELVED,
    STATE_SUPPRESSED,
    STATE_UNACKNOWLEDGED,
    SUPPRESS,
    WITHDRAW,
)

BOTH = (0.0, 1.0)


@pytest.mark.parametrize("is_current", [False, True])
@pytest.mark.parametrize(("returned", "announced", "acknowledged"), list(product(BOTH, BOTH, BOTH)))
def test_an_acknowledgement_counts_once_and_for_the_latest_episode(
    is_current: bool, returned: float, announced: float, acknowledged: float
) -> None:
    state = alarm(returned=returned, announced=announced, acknowledged=acknowledged)
    before = state.copy()
    kind, withheld, reason = notify_acknowledgement(state, is_current)
    if not is_current:
        expected: tuple[int, dict[str, float]] = NOTHING, {}
    elif returned:
        expected = ACKNOWLEDGE, {"returned": 0.0}
    elif announced and not acknowledged:
        expected = ACKNOWLEDGE, {"acknowledged": 1.0}
    else:
        expected = NOTHING, {}
    assert (kind, changes(before, state)) == expected
    assert (withheld, reason) == (False, NO_REASON)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({}, NO_REASON),
        ({"last_reason": INHIBITED}, NO_REASON),
        ({"last_reason": INHIBITED, "withheld": 1.0}, INHIBITED),
        ({"last_reason": INHIBITED, "withheld": 1.0, "flapping": 1.0}, IS_FLAPPING),
        ({"flapping": 1.0}, IS_FLAPPING),
    ],
)
def test_a_raise_that_nothing_suppresses_is_announced(
    columns: dict[str, float], reason: int
) -> None:
    state = alarm(suppressed=1.0, **columns)
    before = state.copy()
    assert notify_raise(item(RAISE, 9.0), state, NO_REASON) == (RAISE, False, reason)
    changed = {"announced": 1.0, "announced_at": 9.0, "suppressed": 0.0}
    withheld = {"withheld": 0.0} if columns.get("withheld") else {}
    assert changes(before, state) == {**changed, **withheld}


def test_a_suppressed_raise_is_withheld_once() -> None:
    state = alarm()
    before = state.copy()
    assert notify_raise(item(RAISE), state, INHIBITED) == (RAISE, True, INHIBITED)
    assert changes(before, state) == {"withheld": 1.0}
    before = state.copy()
    assert notify_raise(item(CHANGE), state, IS_SHELVED) == (CHANGE, True, IS_SHELVED)
    assert notify_raise(item(REVIEW), state, IS_SHELVED) == (NOTHING, True, IS_SHELVED)
    assert notify_raise(item(RAISE), state, DELAYED) == (NOTHING, True, DELAYED)
    assert changes(before, state) == {}


@pytest.mark.parametrize(
    ("kind", "reason", "suppressed", "flaps"),
    list(product((CHANGE, RAISE, REVIEW), (NO_REASON, IS_SHELVED), BOTH, (False, True))),
)
def test_an_announced_alarm_is_suppressed_resumed_or_changed(
    kind: int, reason: int, suppressed: float, flaps: bool
) -> None:
    state = alarm(announced=1.0, suppressed=suppressed, last_reason=INHIBITED)
    before = state.copy()
    found = notify_standing(kind, state, reason, flaps)
    if reason != NO_REASON and not suppressed:
        expected: tuple[Any, ...] = SUPPRESS, False, reason, {"suppressed": 1.0}
    elif reason == NO_REASON and suppressed:
        expected = RESUME, False, INHIBITED, {"suppressed": 0.0}
    elif flaps:
        expected = FLAPPING, bool(suppressed), IS_FLAPPING, {}
    else:
        expected = CHANGE if kind == CHANGE else NOTHING, bool(suppressed), reason, {}
    assert (*found, changes(before, state)) == expected


FLAGS = ("announced", "flapping", "acknowledged", "withheld", "suppressed", "returned")


@pytest.mark.parametrize("kind", [CLEAR, WITHDRAW, REVIEW])
def test_a_return_to_normal_is_reported_as_its_raise_was(kind: int) -> None:
    told = WITHDRAW if kind == WITHDRAW else CLEAR
    for values in product(BOTH, repeat=len(FLAGS)):
        state = alarm(last_reason=OFF_SCHEDULE, **dict(zip(FLAGS, values, strict=True)))
        after = state.copy()
        if state.announced and state.flapping:
            expected: tuple[Any, ...] = NOTHING, False, IS_FLAPPING
        elif state.announced:
            expected = told, False, OFF_SCHEDULE if kind == REVIEW else NO_REASON
            after.returned = float(kind != WITHDRAW and not state.acknowledged)
            after.announced = after.suppressed = 0.0
        elif state.withheld:
            expected = told, True, OFF_SCHEDULE
            after.withheld = 0.0
        elif kind == WITHDRAW:
            expected = WITHDRAW, False, NO_REASON
            after.returned = 0.0
        else:
            expected = NOTHING, False, NO_REASON
        assert notify_return(kind, state) == expected
        assert changes(after, state) == {}


@pytest.mark.parametrize("kind", [RAISE, CHANGE, CLEAR, ACKNOWLEDGE, WITHDRAW, REVIEW])
@pytest.mark.parametrize("is_current", [False, True])
def test_the_state_and_the_item_choose_the_notification(kind: int, is_current: bool) -> None:
    for active, announced, withheld in product(BOTH, BOTH, BOTH):
        state = alarm(active=active, announced=announced, withheld=withheld, last_reason=DELAYED)
        other, one = state.copy(), item(kind, 4.0)
        if kind == ACKNOWLEDGE:
            expected = notify_acknowledgement(other, is_current)
        elif kind == WITHDRAW and not is_current:
            expected = WITHDRAW, False, NO_REASON
        elif not active:
            expected = notify_return(kind, other)
        elif announced:
            expected = notify_standing(kind, other, INHIBITED, True)
        else:
            expected = notify_raise(one, other, INHIBITED)
        assert notify(one, state, INHIBITED, is_current, True) == expected
        assert changes(other, state) == {}


def test_the_state_is_that_of_isa_18_2() -> None:
    for active, announced, returned, acknowledged in product(BOTH, repeat=4):
        state = alarm(
            active=active, announced=announced, returned=returned, acknowledged=acknowledged
        )
        for reason in range(len(REASONS)):
            if not active and not announced:
                expected = STATE_RETURNED if returned else STATE_NORMAL
            elif reason == IS_SHELVED:
                expected = STATE_SHELVED
            elif reason in (INHIBITED, OFF_SCHEDULE, DELAYED):
                expected = STATE_SUPPRESSED
            else:
                expected = STATE_ACKNOWLEDGED if acknowledged else STATE_UNACKNOWLEDGED
            assert isa_state(state, reason) == expected


NO_RESPONSE = Response(0, True, 0, NO_REASON, NOTHING, False, NO_REASON, np.inf)


def test_only_a_raise_that_is_not_withheld_is_an_announcement() -> None:
    for kind, withheld in product((RAISE, CHANGE, CLEAR, RESUME), (False, True)):
        response = NO_RESPONSE._replace(kind=kind, withheld=withheld)
        assert is_announcement(response) is (kind == RAISE and not withheld)


@pytest.mark.parametrize("kind", [CLEAR, WITHDRAW])
@pytest.mark.parametrize("is_current", [False, True])
def test_a_notification_names_the_rows_of_its_episode(kind: int, is_current: bool) -> None:
    record = np.zeros(1, NOTIFICATION)[0]
    state = alarm(latest_row=6.0, episode_row=5.0, active=1.0, acknowledged=1.0)
    response = NO_RESPONSE._replace(
        kind=SUPPRESS, withheld=True, reason=DELAYED, is_current=is_current, suppressed_by=INHIBITED
    )
    write_notification(record, item(kind, 7.0, slot=3, row=9, command=2), state, response)
    is_earlier = kind == WITHDRAW and not is_current
    assert dict(zip(NOTIFICATION.names or (), record.tolist(), strict=True)) == {
        "time": 7.0,
        "slot": 3,
        "kind": SUPPRESS,
        "withheld": True,
        "reason": DELAYED,
        "latest_row": 9 if is_earlier else 6,
        "episode_row": NOTHING if is_earlier else 5,
        "state": STATE_SUPPRESSED,
        "command": 2,
    }
