"""Rows of the outputs: notifications, health samples, refused commands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.alarms.event import ALARM_FIELDS
from tocsin.kernels.alarms.vocabulary import (
    CHANGE,
    FLAPPING,
    INHIBITED,
    IS_FLAPPING,
    KINDS,
    NO_REASON,
    NOTHING,
    RAISE,
    REASONS,
    RESUME,
    STATES,
)
from tocsin.kernels.batch import SYSTEM_FIELDS, Int64s, micros, no_rows, timestamps
from tocsin.steps.manage_alarms.settings import COMMAND_FIELDS
from tocsin.steps.state.release_times import last_moments

# ISA-18.2: a flood is ten alarms for each operator in ten minutes.
_FLOOD, _FLOOD_WINDOW = 10, 10 * 60e6


def _with_system_columns(columns: list[Any], times: Int64s, schema: pa.Schema) -> pa.RecordBatch:
    empty = [pa.nulls(len(times), field.type) for field in SYSTEM_FIELDS[1:]]
    return pa.RecordBatch.from_arrays(
        [*columns, timestamps(last_moments(times)), *empty], schema=schema
    )


def notification_rows(
    notifications: Any, rows: pa.RecordBatch, reasons: list[str | None], schema: pa.Schema
) -> pa.RecordBatch:
    """Notifications as alarm events: columns of the latest event, identity of the episode.

    notifications: NOTIFICATION records. rows: the alarm events that they count.
    """
    latest = rows.take(pa.array(notifications.latest_row))
    has_episode = notifications.episode_row != NOTHING
    at = np.where(has_episode, notifications.episode_row, notifications.latest_row)
    episode = rows.take(pa.array(at))
    times = notifications.time.astype(np.int64)
    caused_by = latest.column("event").to_pylist()
    kinds = notifications.kind.tolist()
    events = [_event_name(kind, cause) for kind, cause in zip(kinds, caused_by, strict=True)]
    replaced = {
        "alarm_id": episode.column("alarm_id"),
        "started_at": episode.column("started_at"),
        "event": pa.array(events, pa.string()),
        "state": pa.array([STATES[state] for state in notifications.state.tolist()], pa.string()),
        "time": timestamps(times),
        "reason": pa.array(reasons, pa.string()),
    }
    columns = [
        replaced[field.name] if field.name in replaced else latest.column(field.name)
        for field in ALARM_FIELDS
    ]
    return _with_system_columns(columns, times, schema)


def _event_name(kind: int, cause: str) -> str:
    """A change has the name of the event that caused it; flapping is an update."""
    if kind == CHANGE:
        return cause
    return "update" if kind == FLAPPING else KINDS[kind]


def reason_texts(
    notifications: Any, commands: pa.RecordBatch, parents: Int64s, names: list[str]
) -> list[str | None]:
    """Why, in words, or None. parents: by alarm, the parent of its asset. names: of assets."""
    texts: list[str | None] = [None] * len(notifications)
    at = np.flatnonzero(
        (notifications.reason != NO_REASON) | (notifications.command != NOTHING)
    ).tolist()
    columns = ("command", "slot", "kind", "withheld", "reason")
    rows = zip(*(notifications[name][at].tolist() for name in columns), strict=True)
    for row, (command, slot, kind, withheld, reason) in zip(at, rows, strict=True):
        is_end = not withheld and kind in (RAISE, RESUME)
        if command != NOTHING:
            texts[row] = _command_text(commands, command)
        elif is_end and reason != IS_FLAPPING:
            texts[row] = f"no longer {REASONS[reason]}"
        elif reason == INHIBITED and parents[slot] != NOTHING:
            texts[row] = f"inhibited: it depends on {names[parents[slot]]}"
        else:
            texts[row] = REASONS[reason]
    return texts


def _command_text(commands: pa.RecordBatch, row: int) -> str | None:
    operator, remark = (commands.column(name)[row].as_py() for name in ("by", "reason"))
    return ": ".join([*([f"by {operator}"] if operator else []), *filter(None, [remark])]) or None


def health_rows(samples: Any, every: float, operators: int, schema: pa.Schema) -> pa.RecordBatch:
    """One row per window. samples: HEALTH_SAMPLE records. every: window length, microseconds."""
    ends = samples.time.astype(np.int64)
    raised = samples.raised.sum(axis=1)
    per_operator = raised / operators
    columns = [
        timestamps(ends - int(every)),
        timestamps(ends),
        pa.array(raised),
        *(pa.array(np.ascontiguousarray(column)) for column in samples.raised.T),
        pa.array(per_operator),
        pa.array(per_operator >= _FLOOD * every / _FLOOD_WINDOW),
    ]
    counts = ("standing", "unacknowledged", "stale", "shelved", "suppressed", "flapping")
    columns += [pa.array(np.ascontiguousarray(samples[name])) for name in counts]
    return _with_system_columns(columns, ends, schema)


def command_rows(rows: pa.RecordBatch | None) -> pa.RecordBatch:
    """Commands with all their columns; null where the input lacks one."""
    fields = [*COMMAND_FIELDS, *SYSTEM_FIELDS]
    if rows is None or not rows.num_rows:
        return no_rows(pa.schema(fields))
    columns = []
    for field in fields:
        if field.name not in rows.schema.names:
            columns.append(pa.nulls(rows.num_rows, field.type))
        elif field.name == "until":
            columns.append(timestamps(micros(rows.column("until"))))
        else:
            columns.append(rows.column(field.name).cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def refused_rows(commands: pa.RecordBatch, why: Any, schema: pa.Schema) -> pa.RecordBatch:
    """Commands with the reason why each is refused; why: '' for the accepted ones."""
    rows = commands.filter(pa.array(why != ""))
    messages = pa.array(why[why != ""].tolist(), pa.string())
    columns = [
        messages if field.name == "message" else rows.column(field.name).cast(field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
