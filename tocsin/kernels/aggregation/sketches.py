"""Mergeable sketches as columns. A merge is a group-by, independent of order and batch boundaries.

Quantiles: DDSketch, counts of logarithmic buckets. A quantile is within RELATIVE_ERROR of the value
of that rank. Source: Masson, Rim, Lee: DDSketch, VLDB 2019.

Distinct counts: K minimum values, exact up to K. Source: Bar-Yossef et al., 2002.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import Hashes, hash_rows
from tocsin.kernels.aggregation.list_arrays import implode
from tocsin.kernels.batch import Floats, Int64s

RELATIVE_ERROR = 0.005
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_SMALLEST = 1e-12  # smaller magnitudes count as zero
_ZERO = 0
_INFINITE = 2**30
_SHIFT = 5600  # makes the bucket of _SMALLEST positive, so that the sign of a bucket is free

BUCKETS = pa.list_(pa.struct([pa.field("bucket", pa.int32()), pa.field("count", pa.int64())]))
MINIMA = pa.list_(pa.uint64())
KEPT_MINIMA = 1024


def buckets(values: Floats) -> Int64s:
    """The bucket of each value: 0 for zero, negative for negative values, in value order."""
    size = np.abs(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        index = np.ceil(np.log(size) / _LOG_GAMMA) + _SHIFT
    index = np.where(size < _SMALLEST, _ZERO, np.where(np.isinf(size), _INFINITE, index))
    signed: Int64s = (np.sign(values) * index).astype(np.int64)
    return signed


def bucket_values(index: Int64s) -> Floats:
    """The value that represents each bucket."""
    size = np.abs(index)
    with np.errstate(over="ignore"):
        middle = 2 * np.exp((size - _SHIFT) * _LOG_GAMMA) / (_GAMMA + 1)
    return np.sign(index) * np.where(
        size == _ZERO, 0.0, np.where(size == _INFINITE, np.inf, middle)
    )


def count_buckets(groups: Int64s, index: Int64s, counts: Int64s, size: int) -> pa.Array:
    """Histograms: for each group a list of (bucket, count), sorted by bucket.

    Args:
        groups: the group number of each row.
        index: the bucket of each row.
        counts: the count of each row.
        size: the number of groups.
    """
    order = np.lexsort((index, groups))
    groups, index, counts = groups[order], index[order], counts[order]
    new = (
        np.r_[True, (groups[1:] != groups[:-1]) | (index[1:] != index[:-1])]
        if len(groups)
        else np.zeros(0, bool)
    )
    starts = np.flatnonzero(new)
    totals = np.add.reduceat(counts, starts) if len(starts) else counts
    items = pa.StructArray.from_arrays(
        [pa.array(index[starts], pa.int32()), pa.array(totals, pa.int64())],
        fields=list(BUCKETS.value_type),
    )
    return implode(groups[starts], items, size)


def quantile(histograms: Any, q: float) -> pa.Array:
    """The q-quantile of each histogram: the value of rank ceil(q * n), at least 1.

    Null for an empty histogram.
    """
    lengths = np.diff(histograms.offsets.to_numpy())
    items = histograms.flatten()
    index = items.field("bucket").to_numpy().astype(np.int64)
    counts = items.field("count").to_numpy()
    running = np.cumsum(counts)
    ends = np.cumsum(lengths)
    before = np.r_[0, running][ends - lengths]
    totals = np.r_[0, running][ends] - before
    rank = np.maximum(np.ceil(q * totals), 1) + before
    at = np.searchsorted(running, rank)
    values = (
        bucket_values(index[np.minimum(at, max(len(index) - 1, 0))])
        if len(index)
        else np.zeros(len(lengths))
    )
    return pa.array(values, pa.float64(), mask=totals == 0)


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
