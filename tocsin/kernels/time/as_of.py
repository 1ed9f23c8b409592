"""Which of several dated rows of a key holds at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import BEGINNING, FOREVER, TIMESTAMP, Int64s


def times_of(column: Any, missing: int) -> Int64s:
    """A column of times, dates or ISO texts as microseconds, in UTC where it does not say. Raises ArrowInvalid."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_null(array.type):
        return np.full(len(array), missing, np.int64)
    if pa.types.is_string(array.type) or pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("us"))
    numbers: Int64s = array.cast(TIMESTAMP).cast(pa.int64()).fill_null(missing).to_numpy()
    return numbers


@dataclass(frozen=True)
class VersionedRows:
    """Rows by key, of which each holds from a moment until one, or until the next of its key. starts, ends: microseconds."""

    keys: list[Any]
    starts: Int64s
    ends: Int64s

    def duplicate(self) -> int | None:
        """A row of a key and moment that another row is of as well, or None."""
        ids, first = group_ids([*self.keys, self.starts])
        return None if len(first) == len(ids) else int(np.setdiff1d(np.arange(len(ids)), first)[0])

    def rows_at(self, keys: list[Any], times: Int64s) -> pa.Array:
        """The row that holds for each key and moment, or null."""
        count = len(self.starts)
        both = [
            pa.concat_arrays([mine.cast(theirs.type), theirs])
            for mine, theirs in zip(self.keys, keys, strict=True)
        ]
        ids, _ = group_ids(both)
        mine, theirs = ids[:count], ids[count:]
        moments_known, ranks = np.unique(self.starts, return_inverse=True)
        width = len(moments_known) + 1
        # Key and moment as one number, in which the latest row that has begun is the last one not greater.
        order = np.lexsort((ranks, mine))
        places = mine[order] * width + ranks[order] + 1
        wanted = theirs * width + np.searchsorted(moments_known, times, side="right")
        found = np.searchsorted(places, wanted, side="right") - 1
        rows = order[np.maximum(found, 0)] if count else np.zeros(len(times), np.int64)
        holds = (found >= 0) if count else np.zeros(len(times), bool)
        if count:
            holds &= (mine[rows] == theirs) & (times < self.ends[rows])
        null = np.zeros(len(times), bool)
        for key in keys:
            null |= pc.is_null(key).to_numpy(zero_copy_only=False)
        return pa.array(rows, mask=~holds | null)


def versioned_rows(keys: list[Any], starts: Any, ends: Any) -> VersionedRows:
    """From columns of a table; `ends` may be None. Null: always has, never ends."""
    known = times_of(starts, BEGINNING)
    return VersionedRows(
        keys, known, np.full(len(known), FOREVER) if ends is None else times_of(ends, FOREVER)
    )
