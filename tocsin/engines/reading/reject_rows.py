"""Readings that a source or a transform rejects, as rows of `REJECTS`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import (
    EVENT_TIME,
    INDEX,
    OFFSET,
    PARTITION,
    Int64s,
    micros,
    timestamps,
    user_columns,
)
from tocsin.parts.source import REJECTS, REJECTS_SCHEMA
from tocsin.parts.transform import Outcome


def row_as_json(row: pa.RecordBatch) -> bytes:
    """The user's columns of one row as a JSON object, for rejects without a message."""
    names = user_columns(row.schema)
    values = {name: shown(row.column(name), 0) for name in names}
    return json.dumps(values, default=str, ensure_ascii=False).encode()


def shown(column: Any, row: int) -> Any:
    """A value as a Python object, or as Arrow's text if Python has no such time."""
    try:
        return column[row].as_py()
    except (ValueError, OverflowError):
        plain = pa.types.is_temporal(column.type)
        return str(column[row].cast(pa.int64())) if plain else f"a {column.type} beyond Python's"


def rejects_batch(rows: list[dict[str, Any]], at: Int64s | int) -> pa.RecordBatch:
    """Rejects as a batch with the columns of `REJECTS_SCHEMA`.

    at: microseconds, the partition's watermark at their arrival. It is their event time in a lake.
    """
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in REJECTS]
    times = np.broadcast_to(np.maximum(np.asarray(at, np.int64), 0), len(rows)).astype(np.int64)
    where = {PARTITION: columns[1], OFFSET: columns[2], INDEX: columns[3]}
    system = [
        timestamps(times),
        pa.nulls(len(rows), REJECTS_SCHEMA.field("_watermark").type),
        *where.values(),
    ]
    return pa.RecordBatch.from_arrays([*columns, *system], schema=REJECTS_SCHEMA)


def rejects_of(outcome: Outcome, topic: str, step: str) -> pa.RecordBatch:
    """The rows that a transform rejected. topic: of its input. step: its name."""
    batch = outcome.rejected
    assert batch is not None
    where = {name: batch.column(name).to_pylist() for name in (PARTITION, OFFSET, INDEX)}
    rows = [
        {
            "topic": topic,
            "partition": where[PARTITION][at],
            "offset": where[OFFSET][at],
            "index": where[INDEX][at],
            "value": row_as_json(batch.slice(at, 1)),
            "step": step,
            "reason": "invalid",
            "message": reason,
        }
        for at, reason in enumerate(outcome.reasons.to_pylist())
    ]
    return rejects_batch(rows, micros(batch.column(EVENT_TIME)))
