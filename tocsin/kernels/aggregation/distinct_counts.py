"""Mergeable sketches of distinct values as columns: K minimum values, exact up to K.

A merge is a group-by, independent of order and batch boundaries.

Source: Bar-Yossef et al.: Counting distinct elements in a data stream, 2002.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import Hashes, hash_rows
from tocsin.kernels.aggregation.list_arrays import implode
from tocsin.kernels.batch import Int64s

MINIMA = pa.list_(pa.uint64())
KEPT_MINIMA = 1024


def smallest_hashes(groups: Int64s, hashes: Hashes, size: int) -> pa.Array:
    """The KEPT_MINIMA smallest distinct hashes of each group, as sorted lists.

    Args:
        groups: the group number of each row.
        hashes: the hash of each row.
        size: the number of groups.
    """
    order = np.lexsort((hashes, groups))
    groups, hashes = groups[order], hashes[order]
    new = (
        np.r_[True, (groups[1:] != groups[:-1]) | (hashes[1:] != hashes[:-1])]
        if len(groups)
        else np.zeros(0, bool)
    )
    groups, hashes = groups[new], hashes[new]
    rank = np.arange(len(groups)) - np.searchsorted(groups, groups)
    kept = rank < KEPT_MINIMA
    return implode(groups[kept], pa.array(hashes[kept], pa.uint64()), size)


def estimate_distinct(minima: Any) -> pa.Array:
    """The number of distinct values of each group, int64.

    Exact below K = KEPT_MINIMA, otherwise (K - 1) / (K-th smallest hash as a share of all hashes).
    """
    offsets = minima.offsets.to_numpy()
    lengths = np.diff(offsets)
    hashes = minima.values.to_numpy()
    last = (
        hashes[np.minimum(offsets[1:] - 1, max(len(hashes) - 1, 0))]
        if len(hashes)
        else np.zeros(len(lengths))
    )
    share = (last.astype(np.float64) + 1.0) / 2.0**64
    estimates = np.where(lengths < KEPT_MINIMA, lengths, np.rint((KEPT_MINIMA - 1) / share))
    return pa.array(estimates.astype(np.int64))


def distinct_hashes(values: Any) -> Hashes:
    """The 64-bit hash of each value."""
    return hash_rows([values])
