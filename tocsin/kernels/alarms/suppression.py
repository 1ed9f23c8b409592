"""Why an alarm is suppressed: flapping, shelving, an alarm upstream, the schedule, a delay."""

from __future__ import annotations

from typing import Any

import numpy as np

from tocsin.kernels.alarms.inputs import Alarms, Assets, Policy, Schedule
from tocsin.kernels.alarms.vocabulary import (
    ACKNOWLEDGE,
    DELAYED,
    INHIBITED,
    IS_FLAPPING,
    IS_SHELVED,
    NO_REASON,
    OFF_SCHEDULE,
    WITHDRAW,
)
from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import kernel


@kernel
def suppression(
    item: Any, state: Any, is_inhibited: bool, rank: int, hours: Any, policy: Policy
) -> tuple[int, float]:
    """Why the alarm is suppressed at the item's time, and when that may end by itself.

    rank: of its severity. hours: what `opening` returned. An infinite time means never.
    """
    quiet_at = state.changed_at + policy.flap_quiet
    is_over = state.active == 0.0 and state.announced == 1.0
    if is_over and state.flapping == 1.0 and item.kind not in (ACKNOWLEDGE, WITHDRAW):
        return IS_FLAPPING, quiet_at
    if state.shelved_until > item.time:
        return IS_SHELVED, state.shelved_until
    if is_inhibited:
        return INHIBITED, np.inf
    is_open, until = hours
    if rank >= policy.always_from:
        is_open, until = True, np.inf
    if not is_open:
        return OFF_SCHEDULE, until
    if state.announced == 0.0 and item.time < state.delayed_until:
        return DELAYED, state.delayed_until
    return NO_REASON, until


@kernel
def opening(time: float, schedule: Schedule) -> tuple[bool, float]:
    """Whether the schedule is open, and when that changes (infinite: never)."""
    opens, closes = schedule
    if len(opens) == 0:
        return True, np.inf
    at = int(np.searchsorted(opens, time, side="right")) - 1
    if at >= 0 and time < closes[at]:
        return True, closes[at]
    return False, opens[at + 1] if at + 1 < len(opens) else np.inf


@kernel
def has_active_parent(parent: int, parents: Int64s, active: Int64s) -> bool:
    """Whether this asset, or one upstream of it, has an active alarm."""
    while parent >= 0 and active[parent] == 0:
        parent = parents[parent]
    return parent >= 0


@kernel
def is_turning_point(asset: int, moved: int, has_children: Any, active: Int64s) -> bool:
    """Count an asset's active alarms; whether its dependants are inhibited, or not, from now on."""
    if moved == 0 or asset < 0:
        return False
    active[asset] += moved
    return bool(has_children[asset] and active[asset] == (1 if moved == 1 else 0))


@kernel
def add_dependants(
    asset: int, time: float, alarms: Alarms, assets: Assets, delay: float, pending: Any
) -> None:
    """Add the active alarms downstream of an asset to the pending reviews."""
    for slot in range(len(alarms.states)):
        parent = alarms.parents[slot]
        while parent >= 0 and parent != asset:
            parent = assets.parents[parent]
        if parent >= 0 and alarms.states[slot].active == 1.0:
            pending.append(slot)
            if assets.active[asset] == 0 and delay > 0.0:
                # A dependent asset returns to normal a little later than its parent.
                alarms.states[slot].delayed_until = time + delay
