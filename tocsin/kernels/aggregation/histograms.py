"""Mergeable histograms as columns, for quantiles: exact for few distinct values, DDSketch beyond.

A histogram counts up to KEPT_VALUES distinct values as they are. With more, it counts logarithmic
buckets, each by the value that represents it, within RELATIVE_ERROR of the bucket's values. Which
of the two depends on the values only: neither order nor batch boundaries change a histogram.

Source: Masson, Rim, Lee: DDSketch, VLDB 2019.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.list_arrays import implode
from tocsin.kernels.batch import Booleans, Floats, Int64s

KEPT_VALUES = 64
RELATIVE_ERROR = 0.005
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_SMALLEST = 1e-12  # smaller magnitudes count as zero
_GREATEST = float(np.finfo(np.float64).max)
# q * n is rounded: 0.07 * 100 is 7.000000000000001, and its rank is 7.
_ROUNDING = 4e-16

COUNTS = pa.list_(pa.struct([pa.field("value", pa.float64()), pa.field("count", pa.int64())]))


def represented(values: Floats) -> Floats:
    """The value that represents the bucket of each value.

    Monotone, and a representative represents itself. Infinities represent themselves.
    """
    size = np.abs(values)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        index = np.ceil(np.log(size) / _LOG_GAMMA)
        middle = np.minimum(2 * np.exp(index * _LOG_GAMMA) / (_GAMMA + 1), _GREATEST)
    middle = np.where(size < _SMALLEST, 0.0, np.where(np.isinf(size), np.inf, middle))
    found: Floats = np.copysign(middle, values) + 0.0  # no negative zero
    return found


def count_values(
    groups: Int64s, values: Floats, counts: Int64s | None, in_buckets: Booleans
) -> tuple[Booleans, pa.Array]:
    """One histogram for each group: whether it counts buckets, and its sorted (value, count) list.

    Args:
        groups: the group number of each row.
        values: the value of each row, without NaN.
        counts: the count of each row, or None for 1.
        in_buckets: whether the rows of a group already hold representatives of buckets.
    """
    order = _order(groups, values, len(in_buckets))
    groups, values = groups[order], values[order] + 0.0
    starts = _run_starts(groups, values)
    if counts is None:
        counts = np.diff(np.r_[starts, len(values)])
    else:
        counts = _totals(counts[order], starts)
    groups, values = groups[starts], values[starts]
    in_buckets = in_buckets | (np.bincount(groups, minlength=len(in_buckets)) > KEPT_VALUES)
    if in_buckets.any():
        coarse = in_buckets[groups]
        values[coarse] = represented(values[coarse])
        starts = _run_starts(groups, values)
        groups, values, counts = groups[starts], values[starts], _totals(counts, starts)
    columns = [pa.array(values), pa.array(counts, pa.int64())]
    items = pa.StructArray.from_arrays(columns, fields=list(COUNTS.value_type))
    return in_buckets, implode(groups, items, len(in_buckets))


def quantile(histograms: Any, q: float) -> pa.Array:
    """The q-quantile of each histogram: the value of rank ceil(q * n), at least 1.

    It lies between the smallest and the greatest value. Null for an empty histogram.

    Args:
        histograms: structs of least, greatest, in_buckets and counts, as the accumulator `buckets`
            gives them.
        q: from 0 to 1.
    """
    least, greatest, counted = (histograms.field(name) for name in ("least", "greatest", "counts"))
    lengths = np.diff(counted.offsets.to_numpy())
    items = counted.flatten()
    if not len(items):
        return pa.nulls(len(lengths), pa.float64())
    running = np.cumsum(items.field("count").to_numpy())
    ends = np.cumsum(lengths)
    before = np.r_[0, running][ends - lengths]
    totals = np.r_[0, running][ends] - before
    rank = np.maximum(np.ceil(q * totals * (1 - _ROUNDING)), 1)
    at = np.minimum(np.searchsorted(running, rank + before), len(items) - 1)
    low, high = (edge.to_numpy(zero_copy_only=False) for edge in (least, greatest))
    values = np.clip(items.field("value").to_numpy()[at], low, high)
    values = np.where(rank == totals, high, np.where(rank == 1, low, values))
    return pa.array(values, pa.float64(), mask=totals == 0)


def _order(groups: Int64s, values: Floats, size: int) -> Int64s:
    """The order of the rows by (group, value).

    NumPy sorts floats by vector instructions and 16-bit integers by radix: together five times as
    fast as `np.lexsort`.
    """
    order = np.argsort(values)
    for shift in range(0, max(size - 1, 1).bit_length(), 16):
        digit = (groups[order] >> shift).astype(np.uint16)
        order = order[np.argsort(digit, kind="stable")]
    return order


def _run_starts(groups: Int64s, values: Floats) -> Int64s:
    """The first row of each run of equal (group, value)."""
    if not len(groups):
        return np.zeros(0, np.int64)
    new = (groups[1:] != groups[:-1]) | (values[1:] != values[:-1])
    return np.flatnonzero(np.r_[True, new])


def _totals(counts: Int64s, starts: Int64s) -> Int64s:
    """The total of each run."""
    totals: Int64s = np.add.reduceat(counts, starts) if len(starts) else counts
    return totals
