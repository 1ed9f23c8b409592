"""Rows that come too late for some or all of their overlapping windows."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np
import pyarrow as pa

from tocsin.foundation.faults import Fault
from tocsin.kernels.batch import (
    SYSTEM_FIELDS,
    TIMESTAMP,
    Int64s,
    like,
    no_rows,
    timestamps,
    user_columns,
)
from tocsin.kernels.time.windows import Sliding, Windows

MISSED, KEPT = "missed_windows", "kept_windows"
_FIELDS = (
    pa.field(MISSED, pa.int64()),
    pa.field(KEPT, pa.int64()),
    pa.field("first_missed", TIMESTAMP),
    pa.field("last_missed", TIMESTAMP),
)


def overlap(windows: Windows) -> TypeGuard[Sliding]:
    """Whether a row can be in several windows, and so miss some of them only."""
    return isinstance(windows, Sliding) and windows.size > windows.every


def late_schema(schema: pa.Schema, windows: Windows) -> pa.Schema:
    """Schema of the output `late`.

    With overlapping windows it adds four columns, never null: the number of windows that the row
    missed, the number that took it (0: it is late for all), and the starts of the first and the
    last missed window. The missed windows follow one another.

    Raises:
        Fault: if the input has a column of one of these names.
    """
    if not overlap(windows):
        return schema
    names = user_columns(schema)
    taken = [field.name for field in _FIELDS if field.name in names]
    if taken:
        raise Fault(
            f"the input has a column '{taken[0]}', which `late` adds where windows overlap; "
            "rename it",
            "window",
        )
    return like(schema, [*(schema.field(name) for name in names), *_FIELDS, *SYSTEM_FIELDS])


def rows_that_missed(
    batch: pa.RecordBatch, late: pa.Schema, windows: Sliding, placed: list[Int64s]
) -> pa.RecordBatch:
    """The rows that missed at least one of their windows, in the schema `late`, in their order.

    placed: for the rows that may have missed one, their number in the batch, the start of their
    pane, and the starts of the first window that takes them and of the last that holds them.
    """
    rows, panes, accepted, last = placed
    first, every = windows.first_window(panes), windows.every
    missed = (np.minimum(accepted, last + every) - first) // every
    found = missed > 0
    if not found.any():
        return no_rows(late)
    rows, first, missed = rows[found], first[found], missed[found]
    held = (last[found] - first) // every + 1
    mine = batch.take(pa.array(rows))
    added = [
        pa.array(missed),
        pa.array(held - missed),
        timestamps(first),
        timestamps(first + (missed - 1) * every),
    ]
    columns = dict(zip((field.name for field in _FIELDS), added, strict=True))
    return pa.RecordBatch.from_arrays(
        [columns[name] if name in columns else mine.column(name) for name in late.names],
        schema=late,
    )
