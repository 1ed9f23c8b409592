"""Rows of what people are told of alarms, of the alarm system's health, and of commands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.alarms.event import ALARM_FIELDS
from tocsin.kernels.alarms import management as a
from tocsin.kernels.batch import SYSTEM_FIELDS, Floats, Int64s, no_rows, timestamps
from tocsin.parts.source import event_micros
from tocsin.steps.manage_alarms.settings import COMMAND_FIELDS
from tocsin.steps.state.release_times import moments

# ISA-18.2: as many alarms an operator in as many minutes are a flood.
_FLOOD, _FLOOD_MINUTES = 10, 10


def _stamped(columns: list[Any], times: Int64s, schema: pa.Schema) -> pa.RecordBatch:
    empty = [pa.nulls(len(times), field.type) for field in SYSTEM_FIELDS[1:]]
    return pa.RecordBatch.from_arrays([*columns, timestamps(moments(times)), *empty], schema=schema)


def told_rows(
    told: Floats, rows: pa.RecordBatch, reasons: Any, schema: pa.Schema
) -> pa.RecordBatch:
    """Alarm events as people are told of them: each has what its latest event said, and the identity of its episode."""
    numbers = told.astype(np.int64)
    latest = rows.take(pa.array(numbers[:, a.LATEST]))
    began = np.where(numbers[:, a.BEGAN] >= 0, numbers[:, a.BEGAN], numbers[:, a.LATEST])
    episode = rows.take(pa.array(began))
    happened = latest.column("event").to_pylist()
    told_as = [a.TOLD[one] for one in numbers[:, a.WHAT]]
    # A change is what its event says; that an alarm flaps is an update.
    events = [event if one == "change" else "update" if one == "flapping" else one
              for one, event in zip(told_as, happened, strict=True)]  # fmt: skip
    replaced = {
        "alarm_id": episode.column("alarm_id"),
        "started_at": episode.column("started_at"),
        "event": pa.array(events, pa.string()),
        "state": pa.array([a.STATES[one] for one in numbers[:, a.STATE]], pa.string()),
        "time": timestamps(numbers[:, a.AT]),
        "reason": pa.array(reasons.tolist(), pa.string()),
    }
    columns = [
        replaced[field.name] if field.name in replaced else latest.column(field.name)
        for field in ALARM_FIELDS
    ]
    return _stamped(columns, numbers[:, a.AT], schema)


def health_rows(looks: Floats, every: float, operators: int, schema: pa.Schema) -> pa.RecordBatch:
    """The alarm system in windows. looks: rows of `annunciate`."""
    numbers = looks.astype(np.int64)
    by_severity = numbers[:, a.RAISED : a.RAISED + a.RANKS]
    raised = by_severity.sum(axis=1)
    each = raised / operators
    columns = [
        timestamps(numbers[:, a.LOOKED] - int(every)), timestamps(numbers[:, a.LOOKED]), raised, *by_severity.T, each,
        each >= _FLOOD * every / (_FLOOD_MINUTES * 60e6),
        *(numbers[:, at] for at in (a.STANDING, a.UNACKNOWLEDGED, a.STALE, a.ALL_SHELVED, a.SUPPRESSED, a.FLAPPING)),
    ]  # fmt: skip
    made = [
        one if isinstance(one, pa.Array) else pa.array(np.ascontiguousarray(one)) for one in columns
    ]
    return _stamped(made, numbers[:, a.LOOKED], schema)


def command_rows(rows: pa.RecordBatch | None) -> pa.RecordBatch:
    """Commands with all columns that one may have; null where the input has none."""
    fields = [*COMMAND_FIELDS, *SYSTEM_FIELDS]
    if rows is None or not rows.num_rows:
        return no_rows(pa.schema(fields))
    columns = []
    for field in fields:
        if field.name not in rows.schema.names:
            columns.append(pa.nulls(rows.num_rows, field.type))
        elif field.name == "until":
            columns.append(timestamps(event_micros(rows.column("until"))))
        else:
            columns.append(rows.column(field.name).cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
