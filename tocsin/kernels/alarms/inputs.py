"""What `manage` takes, in groups. Times and durations are microseconds; -1 means none."""

from __future__ import annotations

from typing import Any, NamedTuple

from tocsin.kernels.batch import Floats, Int64s


class Rows(NamedTuple):
    """Rows of alarm events. episodes: a number per `alarm_id`. ranks: of the severity, from 0."""

    episodes: Int64s
    ranks: Int64s


class Alarms(NamedTuple):
    """Alarms by slot. states: ALARM_STATE, changed. assets: what each is about. parents: of it."""

    states: Any
    assets: Int64s
    parents: Int64s


class Assets(NamedTuple):
    """Assets by number. has_children: bool. active: number of active alarms, changed."""

    parents: Int64s
    has_children: Any
    active: Int64s


class Schedule(NamedTuple):
    """Times between which operators are notified; empty: always."""

    opens: Floats
    closes: Floats


class Policy(NamedTuple):
    """How alarms are managed.

    delay: how long a raise waits for an alarm of the parent. An alarm flaps if `flap_raises` raises
    (0: never) come within `flap_within`, until it has been quiet for `flap_quiet`. always_from:
    rank of the severity that ignores the schedule.
    """

    delay: float
    flap_raises: int
    flap_within: float
    flap_quiet: float
    always_from: int


class Sampling(NamedTuple):
    """When health is sampled. next_at: NaN: never. raised: raises by severity, changed."""

    next_at: float
    every: float
    raised: Int64s


class Response(NamedTuple):
    """What an item causes for its alarm.

    moved: 1 if the alarm becomes active, -1 if it returns to normal. is_current: the item is about
    the latest episode. rank: of the alarm's severity. suppressed_by: one of REASONS. kind,
    withheld, reason: of the notification; kind NOTHING: none. wake_at: when to review the alarm
    without an event; infinite: never.
    """

    moved: int
    is_current: bool
    rank: int
    suppressed_by: int
    kind: int
    withheld: bool
    reason: int
    wake_at: float
