"""As-of lookup: the version of a key's row that is valid at a given time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import BEGINNING, FOREVER, TIMESTAMP, Int64s


def times_of(column: Any, missing: int) -> Int64s:
    """A column of timestamps, dates or ISO 8601 texts as int64 microseconds since 1970.

    Values without a zone are UTC. Null becomes `missing`.

    Raises:
        pyarrow.ArrowInvalid: for a text that is not ISO 8601.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_null(array.type):
        return np.full(len(array), missing, np.int64)
    if pa.types.is_string(array.type) or pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("us"))
    numbers: Int64s = array.cast(TIMESTAMP).cast(pa.int64()).fill_null(missing).to_numpy()
    return numbers


@dataclass(frozen=True)
class VersionedRows:
    """Versions of rows by key.

    A version is valid from its start until its end, or until the next version of its key starts.

    Attributes:
        keys: key columns, one element for each version.
        starts: start of each version, microseconds, inclusive.
        ends: end of each version, microseconds, exclusive.
    """

    keys: list[Any]
    starts: Int64s
    ends: Int64s

    def duplicate(self) -> int | None:
        """A row whose key and start equal those of an earlier row, or None."""
        ids, first = group_ids([*self.keys, self.starts])
        return None if len(first) == len(ids) else int(np.setdiff1d(np.arange(len(ids)), first)[0])

    def rows_at(self, keys: list[Any], times: Int64s) -> pa.Array:
        """The row number of the version that is valid for each key at each time.

        Args:
            keys: key columns. A null key has no version.
            times: one time for each key, microseconds.

        Returns:
            int64 row numbers; null where no version is valid.
        """
        count = len(self.starts)
        both = [
            pa.concat_arrays([mine.cast(theirs.type), theirs])
            for mine, theirs in zip(self.keys, keys, strict=True)
        ]
        ids, _ = group_ids(both)
        mine, theirs = ids[:count], ids[count:]
        known_starts, ranks = np.unique(self.starts, return_inverse=True)
        width = len(known_starts) + 1
        # Key and start become one number. The valid version is the last number that is not greater.
        order = np.lexsort((ranks, mine))
        places = mine[order] * width + ranks[order] + 1
        wanted = theirs * width + np.searchsorted(known_starts, times, side="right")
        found = np.searchsorted(places, wanted, side="right") - 1
        rows = order[np.maximum(found, 0)] if count else np.zeros(len(times), np.int64)
        valid = (found >= 0) if count else np.zeros(len(times), bool)
        if count:
            valid &= (mine[rows] == theirs) & (times < self.ends[rows])
        null = np.zeros(len(times), bool)
        for key in keys:
            null |= pc.is_null(key).to_numpy(zero_copy_only=False)
        return pa.array(rows, mask=~valid | null)


def versioned_rows(keys: list[Any], starts: Any, ends: Any) -> VersionedRows:
    """Versions of rows from the columns of a table.

    Args:
        keys: key columns.
        starts: timestamps, dates or ISO 8601 texts. Null: valid since ever.
        ends: the same, or None for no ends. Null: valid until the next version of the key.

    Raises:
        pyarrow.ArrowInvalid: for a text that is not ISO 8601.
    """
    known = times_of(starts, BEGINNING)
    return VersionedRows(
        keys, known, np.full(len(known), FOREVER) if ends is None else times_of(ends, FOREVER)
    )
