"""What an event or a command changes by itself in the state of its alarm."""

from __future__ import annotations

from typing import Any

import numpy as np

from tocsin.kernels.alarms.inputs import Policy
from tocsin.kernels.alarms.vocabulary import (
    ACKNOWLEDGE,
    CHANGE,
    CLEAR,
    IS_FLAPPING,
    NOTHING,
    RAISE,
    SHELVE,
    UNSHELVE,
    WITHDRAW,
)
from tocsin.kernels.compiled import kernel


@kernel
def concerns_episode(item: Any, latest: int) -> bool:
    """Whether the item is about the latest episode; an ACKNOWLEDGE may name none in particular."""
    if item.episode == NOTHING:
        return bool(item.kind == ACKNOWLEDGE)
    return bool(item.episode == latest)


@kernel
def apply_event(
    item: Any, state: Any, is_current: bool, has_parent: bool, policy: Policy
) -> tuple[int, bool]:
    """Change the state. is_current: see `concerns_episode`.

    Returns:
        1 if the alarm becomes active, -1 if it returns to normal, else 0; whether flapping begins.
    """
    moved, flaps = 0, False
    if item.row >= 0 and (item.kind != WITHDRAW or is_current):
        state.latest_row = item.row
    if item.kind == RAISE:
        moved = 1 if state.active == 0.0 else 0
        apply_raise(item, state, has_parent, policy)
        flaps = begins_to_flap(item.time, state, policy)
    elif item.kind == CHANGE and item.value > 0.0:
        # The acknowledgement was for a lower severity.
        state.acknowledged = 0.0
    elif item.kind == CLEAR or (item.kind == WITHDRAW and is_current):
        moved = -1 if state.active == 1.0 else 0
        state.active, state.changed_at = 0.0, item.time
        if item.kind == WITHDRAW:
            state.flapping = 0.0
    elif item.kind == SHELVE:
        state.shelved_until = item.value
    elif item.kind == UNSHELVE:
        state.shelved_until = 0.0
    if state.flapping == 1.0 and item.time >= state.changed_at + policy.flap_quiet:
        state.flapping, state.last_reason = 0.0, IS_FLAPPING
    return moved, flaps


@kernel
def apply_raise(item: Any, state: Any, has_parent: bool, policy: Policy) -> None:
    """Make the alarm active. A new episode begins unless the previous one is still announced."""
    if state.announced == 0.0:
        state.acknowledged, state.returned, state.episode_row = 0.0, 0.0, item.row
    state.active, state.changed_at = 1.0, item.time
    is_delayed = has_parent and policy.delay > 0.0
    state.delayed_until = item.time + policy.delay if is_delayed else -np.inf


@kernel
def begins_to_flap(time: float, state: Any, policy: Policy) -> bool:
    """Remember a raise; whether the alarm flaps from this one on."""
    if policy.flap_raises == 0:
        return False
    last = policy.flap_raises - 1
    for turn in range(last):
        state.raises[turn] = state.raises[turn + 1]
    state.raises[last] = time
    if state.flapping == 1.0 or state.raises[0] <= time - policy.flap_within:
        return False
    state.flapping = 1.0
    return True
