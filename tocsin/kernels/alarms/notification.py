"""What operators are notified of, and the state that they see."""

from __future__ import annotations

from typing import Any

from tocsin.kernels.alarms.inputs import Response
from tocsin.kernels.alarms.vocabulary import (
    ACKNOWLEDGE,
    CHANGE,
    CLEAR,
    FLAPPING,
    IS_FLAPPING,
    IS_SHELVED,
    NO_REASON,
    NOTHING,
    RAISE,
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
from tocsin.kernels.compiled import kernel

Notice = tuple[int, bool, int]
"""Kind of a notification, or NOTHING; whether it is withheld; its reason."""


@kernel
def notify(item: Any, state: Any, reason: int, is_current: bool, flaps: bool) -> Any:
    """The Notice of an item. reason: of `suppression`. flaps: flapping begins with the item."""
    if item.kind == ACKNOWLEDGE:
        return notify_acknowledgement(state, is_current)
    if item.kind == WITHDRAW and not is_current:
        # An earlier episode, which operators know.
        return WITHDRAW, False, NO_REASON
    if state.active == 0.0:
        return notify_return(item.kind, state)
    if state.announced == 1.0:
        return notify_standing(item.kind, state, reason, flaps)
    return notify_raise(item, state, reason)


@kernel
def notify_acknowledgement(state: Any, is_current: bool) -> Notice:
    """Acknowledge an announced alarm, or one that returned to normal."""
    if is_current and state.returned == 1.0:
        state.returned = 0.0
        return ACKNOWLEDGE, False, NO_REASON
    if is_current and state.announced == 1.0 and state.acknowledged == 0.0:
        state.acknowledged = 1.0
        return ACKNOWLEDGE, False, NO_REASON
    return NOTHING, False, NO_REASON


@kernel
def notify_raise(item: Any, state: Any, reason: int) -> Notice:
    """Announce an active alarm, or withhold it."""
    if reason == NO_REASON:
        why = int(state.last_reason) if state.withheld == 1.0 else NO_REASON
        state.announced, state.announced_at = 1.0, item.time
        state.suppressed, state.withheld = 0.0, 0.0
        return RAISE, False, IS_FLAPPING if state.flapping == 1.0 else why
    if state.withheld == 0.0:
        state.withheld = 1.0
        return RAISE, True, reason
    return (CHANGE if item.kind == CHANGE else NOTHING), True, reason


@kernel
def notify_standing(kind: int, state: Any, reason: int, flaps: bool) -> Notice:
    """Suppress an announced alarm, resume it, or report its change."""
    if reason != NO_REASON and state.suppressed == 0.0:
        state.suppressed = 1.0
        return SUPPRESS, False, reason
    if reason == NO_REASON and state.suppressed == 1.0:
        state.suppressed = 0.0
        return RESUME, False, int(state.last_reason)
    if flaps:
        return FLAPPING, state.suppressed == 1.0, IS_FLAPPING
    return (CHANGE if kind == CHANGE else NOTHING), state.suppressed == 1.0, reason


@kernel
def notify_return(kind: int, state: Any) -> Notice:
    """Clear or withdraw an alarm that is not active. One that flaps stays announced."""
    is_withdrawn = kind == WITHDRAW
    told = WITHDRAW if is_withdrawn else CLEAR
    if state.announced == 1.0:
        if state.flapping == 1.0:
            return NOTHING, False, IS_FLAPPING
        state.returned = 0.0 if is_withdrawn or state.acknowledged == 1.0 else 1.0
        state.announced, state.suppressed = 0.0, 0.0
        return told, False, int(state.last_reason) if kind == REVIEW else NO_REASON
    if state.withheld == 1.0:
        state.withheld = 0.0
        return told, True, int(state.last_reason)
    if is_withdrawn:
        # It was cleared before.
        state.returned = 0.0
        return WITHDRAW, False, NO_REASON
    return NOTHING, False, NO_REASON


@kernel
def isa_state(state: Any, reason: int) -> int:
    """The alarm's state in the sense of ISA-18.2."""
    if state.active == 0.0 and state.announced == 0.0:
        return STATE_RETURNED if state.returned == 1.0 else STATE_NORMAL
    if reason == IS_SHELVED:
        return STATE_SHELVED
    if reason not in (NO_REASON, IS_FLAPPING):
        return STATE_SUPPRESSED
    return STATE_ACKNOWLEDGED if state.acknowledged == 1.0 else STATE_UNACKNOWLEDGED


@kernel
def is_announcement(response: Response) -> bool:
    """Whether operators are notified of a raise."""
    return response.kind == RAISE and not response.withheld


@kernel
def write_notification(record: Any, item: Any, state: Any, response: Response) -> None:
    """Fill a NOTIFICATION."""
    is_earlier = item.kind == WITHDRAW and not response.is_current
    record.time, record.slot, record.command = item.time, item.slot, item.command
    record.kind, record.withheld = response.kind, response.withheld
    record.reason = response.reason
    record.latest_row = item.row if is_earlier else int(state.latest_row)
    record.episode_row = NOTHING if is_earlier else int(state.episode_row)
    record.state = isa_state(state, response.suppressed_by)
