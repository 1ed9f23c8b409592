"""Alarm management by ISA-18.2 and IEC 62682: events, commands and wakes to notifications."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

from tocsin.kernels.alarms.columns import EVENT, HEALTH_SAMPLE, NOTIFICATION
from tocsin.kernels.alarms.health import doubled, take_samples
from tocsin.kernels.alarms.inputs import (
    Alarms,
    Assets,
    Policy,
    Response,
    Rows,
    Sampling,
    Schedule,
)
from tocsin.kernels.alarms.notification import is_announcement, notify, write_notification
from tocsin.kernels.alarms.suppression import (
    add_dependants,
    has_active_parent,
    is_turning_point,
    opening,
    suppression,
)
from tocsin.kernels.alarms.transitions import apply_event, concerns_episode
from tocsin.kernels.alarms.vocabulary import NO_REASON, NOTHING, REVIEW
from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled, kernel


@compiled
def manage(
    events: Any,
    rows: Rows,
    alarms: Alarms,
    assets: Assets,
    policy: Policy,
    schedule: Schedule,
    sampling: Sampling,
    horizon: float,
) -> Any:
    """Merge events, commands and wakes in order of time.

    events: EVENT records, in that order. horizon: wakes and samples before it are due.

    Returns:
        Notifications (NOTIFICATION), health samples (HEALTH_SAMPLE), the time of the next sample.
    """
    # Local names: in a loop, each read of a tuple's array counts references.
    states, asset_of, parent_of = alarms
    parents, has_children, active = assets
    episodes, ranks = rows
    sample_at, every, raised = sampling
    notifications, notified = np.empty(max(64, 2 * len(events)), NOTIFICATION), 0
    samples, sampled = np.empty(16, HEALTH_SAMPLE), 0
    # Alarms to review before time moves on. The first entry gives the list its type, and stays.
    pending, review = [NOTHING], blank_review()
    wakes, at, hours = scheduled_wakes(states), 0, (True, -np.inf)
    while len(pending) > 1 or at < len(events) or wakes[0][0] < horizon:
        item = review[0]
        if len(pending) > 1:
            item.slot = pending.pop()
        else:
            is_event = at < len(events) and events[at].time <= wakes[0][0]
            item.time = events[at].time if is_event else wakes[0][0]
            if sample_at <= item.time:
                samples, sampled, sample_at = take_samples(
                    samples, sampled, sample_at, every, item.time, states, raised
                )
            if is_event:
                item = events[at]
                at += 1
            else:
                item.slot = pop_wake(wakes, states)
                if item.slot == NOTHING:
                    continue
            if item.time >= hours[1]:
                hours = opening(item.time, schedule)
        slot, state, parent = item.slot, states[item.slot], parent_of[item.slot]
        episode = episodes[int(state.episode_row)] if state.episode_row >= 0.0 else NOTHING
        is_inhibited = has_active_parent(parent, parents, active)
        response = respond(item, state, episode, ranks, parent >= 0, is_inhibited, hours, policy)
        if is_turning_point(asset_of[slot], response.moved, has_children, active):
            add_dependants(asset_of[slot], item.time, alarms, assets, policy.delay, pending)
        if item.time < response.wake_at < np.inf and response.wake_at != state.wake_at:
            state.wake_at = response.wake_at
            heapq.heappush(wakes, (response.wake_at, slot))
        if response.kind != NOTHING:
            if notified == len(notifications):
                notifications = doubled(notifications)
            write_notification(notifications[notified], item, state, response)
            notified += 1
            raised[response.rank] += 1 if is_announcement(response) else 0
    last = np.nextafter(horizon, -np.inf)
    samples, sampled, sample_at = take_samples(
        samples, sampled, sample_at, every, last, states, raised
    )
    return notifications[:notified], samples[:sampled], sample_at


@kernel
def respond(
    item: Any,
    state: Any,
    episode: int,
    ranks: Int64s,
    has_parent: bool,
    is_inhibited: bool,
    hours: tuple[bool, float],
    policy: Policy,
) -> Response:
    """Follow one alarm through one item. episode: its latest. hours: what `opening` returned."""
    is_current = concerns_episode(item, episode)
    moved, flaps = apply_event(item, state, is_current, has_parent, policy)
    rank = ranks[int(state.latest_row)] if state.latest_row >= 0.0 else NOTHING
    reason, until = suppression(item, state, is_inhibited, rank, hours, policy)
    kind, withheld, why = notify(item, state, reason, is_current, flaps)
    if reason != NO_REASON:
        state.last_reason = reason
    wake_at = next_review(state, until, policy.flap_quiet)
    return Response(moved, is_current, rank, reason, kind, withheld, why, wake_at)


@kernel
def next_review(state: Any, until: float, flap_quiet: float) -> float:
    """When to review the alarm without an event; infinite: never. until: of its suppression."""
    if state.flapping == 1.0:
        return float(min(until, state.changed_at + flap_quiet))
    if state.active == 0.0 and state.announced == 0.0:
        return np.inf
    return until


@kernel
def scheduled_wakes(states: Any) -> Any:
    """A heap of (time, slot); its last entry is never due."""
    wakes = [(np.inf, NOTHING)]
    for slot in range(len(states)):
        if not np.isnan(states[slot].wake_at):
            heapq.heappush(wakes, (states[slot].wake_at, slot))
    return wakes


@kernel
def pop_wake(wakes: Any, states: Any) -> int:
    """The slot of the first wake; NOTHING if the alarm has replaced that wake by another."""
    time, slot = heapq.heappop(wakes)
    if states[slot].wake_at != time:
        return NOTHING
    states[slot].wake_at = np.nan
    return int(slot)


@kernel
def blank_review() -> Any:
    """One EVENT without an event."""
    review = np.zeros(1, EVENT)
    review[0].kind = REVIEW
    review[0].episode = review[0].row = review[0].command = NOTHING
    return review
