"""Number and exact sum of the values of each time: what hourly means need of many readings.

A group has one list of (time, high, low, count), in the order of times. A sum is two doubles, see
`exact_sums`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation import exact_sums
from tocsin.kernels.aggregation.list_arrays import explode, implode
from tocsin.kernels.batch import Floats, Int64s, micros

SUMS = pa.list_(
    pa.struct(
        [
            pa.field("time", pa.int64()),
            pa.field("high", pa.float64()),
            pa.field("low", pa.float64()),
            pa.field("count", pa.int64()),
        ]
    )
)
"""The type of a list of sums."""


def summed(
    ids: Int64s, times: Int64s, sums: tuple[Floats, Floats], counts: Int64s, groups: int
) -> pa.Array:
    """One list of sums for each group.

    Args:
        ids: the group number of each row.
        times: microseconds.
        sums: the pair (high, low) of each row.
        counts: the number of values of each row.
        groups: the number of groups.
    """
    order = np.lexsort((times, ids))
    ids, times = ids[order], times[order]
    new = np.r_[True, (ids[1:] != ids[:-1]) | (times[1:] != times[:-1])][: len(ids)]
    size = int(new.sum())
    cells, high, low = np.cumsum(new) - 1, np.zeros(size), np.zeros(size)
    exact_sums.add_pairs(cells, sums[0][order], sums[1][order], high, low)
    added = np.add.reduceat(counts[order], np.flatnonzero(new)) if size else counts
    columns = [pa.array(one) for one in (times[new], high, low, added)]
    items = pa.StructArray.from_arrays(columns, fields=list(SUMS.value_type))
    return implode(ids[new], items, groups)


def merged(lists: pa.Array, ids: Int64s, groups: int) -> pa.Array:
    """One list of sums for each group of lists. ids: the group number of each list."""
    owners, times, sums, counts = _flat(lists, ids)
    return summed(owners, times, sums, counts, groups)


def hourly_means(sums: pa.Array, ends: pa.Array, hours: int) -> Floats:
    """The means of the last `hours` hours before `ends`, the newest first.

    Args:
        sums: one list of sums for each group.
        ends: end of the last hour of each group, timestamps.
        hours: number of hours.

    Returns:
        Shape (groups, hours). NaN where an hour has no value.
    """
    groups = len(sums)
    owners, times, (highs, lows), counts = _flat(sums, np.arange(groups))
    back = (micros(ends)[owners] - 1 - times) // 3_600_000_000
    here = (back >= 0) & (back < hours)
    cells = owners[here] * hours + back[here]
    high, low = np.zeros(groups * hours), np.zeros(groups * hours)
    exact_sums.add_pairs(cells, highs[here], lows[here], high, low)
    seen = np.bincount(cells, counts[here], groups * hours).astype(np.float64)
    means: Floats = exact_sums.mean((high, low), seen)
    return means.reshape(groups, hours)


def _flat(lists: pa.Array, ids: Int64s) -> tuple[Int64s, Int64s, tuple[Floats, Floats], Int64s]:
    """The group number, time, sum and count of each item."""
    owners, items = explode(lists, ids)
    time, high, low, count = (items.field(field.name).to_numpy() for field in SUMS.value_type)
    return owners, time, (high, low), count
