"""Rows sorted by key and event time, and the first row of each key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import INDEX, OFFSET, PARTITION, Int64s


@dataclass(frozen=True)
class Segments:
    """Rows sorted by key, one segment for each key.

    Attributes:
        order: row numbers sorted by (key, event time, partition, offset, index).
        starts: first position of each segment in `order`; the last element is the number of rows.
        keys: the group number of each segment.
    """

    order: Int64s
    starts: Int64s
    keys: Int64s


def segments(ids: Int64s, times: Int64s, *tie_breakers: Int64s) -> Segments:
    """Rows sorted by group number, then time, then tie breakers.

    Args:
        ids: the group number of each row.
        times: event time of each row, microseconds.
        tie_breakers: columns that order rows of one key and time, the most significant first.
    """
    order = np.lexsort((*reversed(tie_breakers), times, ids)).astype(np.int64)
    sorted_ids = ids[order]
    starts = (
        np.flatnonzero(np.r_[True, sorted_ids[1:] != sorted_ids[:-1]])
        if len(ids)
        else np.zeros(0, np.int64)
    )
    return Segments(order, np.r_[starts, len(ids)].astype(np.int64), sorted_ids[starts])


def arrival(batch: pa.RecordBatch) -> list[Int64s]:
    """The columns that order rows of one key and time the same on every run.

    These are partition, offset and index, as far as the batch has them. Null becomes -1.
    """
    names = [name for name in (PARTITION, OFFSET, INDEX) if name in batch.schema.names]
    return [
        batch.column(name).cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        for name in names
    ]
