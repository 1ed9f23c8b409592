"""Named columns of alarms: their life cycle, their management, notifications, health samples.

The columns are NumPy records, which Numba reads and writes by name at no cost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tocsin.kernels.batch import Floats

RING = 8
"""Raises that an alarm's state remembers, to find flapping."""

SEVERITIES = 5


def _record(*columns: tuple[Any, ...]) -> np.dtype[Any]:
    return np.dtype((np.record, np.dtype(list(columns), align=True)))


ALARM_STATE = _record(
    ("active", "f8"),
    ("announced", "f8"),
    ("acknowledged", "f8"),
    ("returned", "f8"),
    ("shelved_until", "f8"),
    ("delayed_until", "f8"),
    ("suppressed", "f8"),
    ("withheld", "f8"),
    ("flapping", "f8"),
    ("changed_at", "f8"),
    ("wake_at", "f8"),
    ("latest_row", "f8"),
    ("episode_row", "f8"),
    ("announced_at", "f8"),
    ("last_reason", "f8"),
    ("raises", "f8", (RING,)),
)
"""State of one alarm: float64 throughout, because keyed state is a float64 matrix.

| column | meaning |
|---|---|
| `active` | 1: the condition is present |
| `announced` | 1: operators received the raise, and no clear since |
| `acknowledged` | 1: an operator acknowledged the raise |
| `returned` | 1: returned to normal without an acknowledgement |
| `shelved_until` | end of the shelving, microseconds; 0: not shelved |
| `delayed_until` | the raise waits for the parent's alarm until then, microseconds |
| `suppressed` | 1: announced, and suppressed since |
| `withheld` | 1: active, and operators did not receive the raise |
| `flapping` | 1: it is raised and cleared too often |
| `changed_at` | last raise or clear, microseconds |
| `wake_at` | when to review the alarm without an event, microseconds; NaN: never |
| `latest_row` | row of the latest event; -1: none |
| `episode_row` | row of the raise that operators received, or would have received; -1: none |
| `announced_at` | when operators received the raise, microseconds |
| `last_reason` | the last reason for which it was suppressed, a REASON constant |
| `raises` | times of the latest raises, the oldest first; -inf: none |
"""

STATE_WIDTH = ALARM_STATE.itemsize // 8

LIFECYCLE_STATE = _record(
    ("active", "f8"),
    ("recent", "f8"),
    ("below_clear", "f8"),
    ("started_at", "f8"),
    ("peak", "f8"),
    ("reported_peak", "f8"),
    ("first_above_at", "f8"),
    ("first_below_clear_at", "f8"),
    ("level", "f8"),
    ("below_level", "f8"),
    ("first_below_level_at", "f8"),
    ("peak_below_level", "f8"),
)
"""How far scores have raised or cleared one alarm; float64, because keyed state is.

| column | meaning |
|---|---|
| `active` | 1: raised and not cleared |
| `recent` | scores over the line in a row; with `within`, the last scores as bits |
| `below_clear` | scores under the clear line in a row |
| `started_at` | first score over the line, microseconds |
| `peak` | highest score since then |
| `reported_peak` | `peak` at the last raise, escalation or update |
| `first_above_at`, `first_below_clear_at` | first score that counts for raising, for clearing |
| `level` | number of levels that it has reached |
| `below_level` | scores under that level in a row |
| `first_below_level_at`, `peak_below_level` | the first and the highest of these |
"""

LIFECYCLE_WIDTH = LIFECYCLE_STATE.itemsize // 8

EVENT = _record(
    ("time", "f8"),
    ("slot", "i8"),
    ("kind", "i8"),
    ("value", "f8"),
    ("episode", "i8"),
    ("row", "i8"),
    ("command", "i8"),
)
"""An alarm event, a command, or the review of an alarm.

| column | meaning |
|---|---|
| `time` | microseconds |
| `slot` | the alarm |
| `kind` | one of `vocabulary.KINDS`, or REVIEW |
| `value` | SHELVE: its end, microseconds; CHANGE: 1 for a higher severity |
| `episode` | number of the `alarm_id` that it names; -1: none |
| `row` | row of the alarm event; -1 for commands and reviews |
| `command` | row of the command; -1 for alarm events and reviews |
"""

NOTIFICATION = _record(
    ("time", "f8"),
    ("slot", "i8"),
    ("kind", "i8"),
    ("withheld", "?"),
    ("reason", "i8"),
    ("latest_row", "i8"),
    ("episode_row", "i8"),
    ("state", "i8"),
    ("command", "i8"),
)
"""What operators receive, or, if `withheld`, would have received.

`slot`: the alarm. `kind`, `reason`, `state`: KINDS, REASONS and STATES of `vocabulary`.
`latest_row`, `episode_row`: rows of alarm events, as in the state. `command`: row of the command
that caused it; -1: none.
"""

HEALTH_SAMPLE = _record(
    ("time", "f8"),
    ("standing", "i8"),
    ("unacknowledged", "i8"),
    ("stale", "i8"),
    ("shelved", "i8"),
    ("suppressed", "i8"),
    ("flapping", "i8"),
    ("raised", "i8", (SEVERITIES,)),
)
"""Alarms counted at a time. `raised`: by severity, raises announced since the sample before."""


def by_name(values: Floats, record: np.dtype[Any]) -> Any:
    """The rows of a float64 matrix as records, without a copy: `by_name(…).active` is a column."""
    return values.view(record)[:, 0].view(np.recarray)


def start_state() -> Floats:
    """The state of an alarm that nothing has happened to, shape (STATE_WIDTH,)."""
    values = np.zeros((1, STATE_WIDTH))
    state = by_name(values, ALARM_STATE)
    state.wake_at = np.nan
    state.latest_row = state.episode_row = -1.0
    state.raises = -np.inf
    return values.reshape(-1)
