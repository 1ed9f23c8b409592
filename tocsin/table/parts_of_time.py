"""The date, hour, month and year of event times as columns, and rows by such columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import Int64s

TIME_PARTS = {"date": pa.date32(), "hour": pa.int32(), "month": pa.string(), "year": pa.int32()}
"""The parts of a time in UTC, with their types. A month is a text such as 2026-03."""

_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""Seconds since 1970 of the years 1 to 9999."""


def part_of_time(part: str, times: Int64s) -> pa.Array:
    """One part of each time.

    Args:
        part: one of `TIME_PARTS`.
        times: microseconds since 1970. Times before the year 1 and after 9999 have the parts of
            the first and of the last second of these years.
    """
    seconds = np.clip(times // 1_000_000, _FIRST, _LAST)
    days = seconds // 86_400
    if part == "date":
        return pa.array(days.astype(np.int32), pa.int32()).view(pa.date32())
    if part == "hour":
        return pa.array((seconds % 86_400 // 3600).astype(np.int32))
    if part == "year":
        years = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
        return pa.array(years.astype(np.int32))
    months, codes = np.unique(
        days.astype("datetime64[D]").astype("datetime64[M]"), return_inverse=True
    )
    # NumPy writes years with four digits.
    return pa.array([str(month) for month in months], pa.string()).take(pa.array(codes))


def with_parts(batch: pa.RecordBatch, parts: Sequence[str], times: Int64s) -> pa.RecordBatch:
    """The rows with those of `parts` that are parts of a time, as columns behind the others."""
    for part in parts:
        if part in TIME_PARTS:
            batch = batch.append_column(pa.field(part, TIME_PARTS[part]), part_of_time(part, times))
    return batch


def by_values(batch: pa.RecordBatch, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of each combination of values, in order of first appearance. Null is a value."""
    if not columns or not batch.num_rows:
        yield batch
        return
    keys: list[Any] = [batch.column(name) for name in columns]
    ids, first = group_ids(keys)
    if len(first) == 1:
        yield batch
        return
    for number in range(len(first)):
        yield batch.filter(pa.array(ids == number))
