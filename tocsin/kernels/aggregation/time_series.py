"""Results over time series: one list of (time, value) in time order for each group.

Each function takes a list array as the accumulator `points` or `exact_points` gives it. Times are
microseconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation import exact_sums
from tocsin.kernels.batch import Floats, Int64s, micros
from tocsin.kernels.counters import beyond_wrap, difference


def flat(points: Any) -> tuple[Int64s, Any, Int64s, Int64s]:
    """The time, value and group number of each point, and the number of points of each group."""
    lengths = np.diff(points.offsets.to_numpy()).astype(np.int64)
    items = points.flatten()
    owners = np.repeat(np.arange(len(lengths)), lengths)
    return items.field("time").to_numpy(), items.field("value").to_numpy(), owners, lengths


def time_weighted_mean(points: Any, ends: Any) -> pa.Array:
    """The time-weighted mean of each group: each value holds until the next point.

    The last value holds until `ends` (timestamps, one for each group). If several points have one
    time, the greatest value counts. Null for a group without points.
    """
    times, values, owners, lengths = flat(points)
    following = np.r_[times[1:], 0]
    is_last = np.r_[owners[1:] != owners[:-1], True] if len(owners) else np.zeros(0, bool)
    until = np.where(is_last, micros(ends)[owners], following)
    weights = (until - times).astype(np.float64)
    total = np.bincount(owners, weights, len(lengths))
    means = _means(owners, values, weights, len(lengths))
    return pa.array(means, pa.float64(), mask=total == 0)


def _means(groups: Int64s, values: Floats, weights: Floats | None, size: int) -> Floats:
    """The weighted mean of each group, NaN without weight.

    Rounding cannot move it out of the range of the group's weighted values.
    """
    total = np.bincount(groups, weights, size)
    moment = np.bincount(groups, values if weights is None else weights * values, size)
    least, greatest = np.full(size, np.inf), np.full(size, -np.inf)
    here = slice(None) if weights is None else weights > 0
    exact_sums.smallest(groups[here], values[here], least)
    exact_sums.greatest(groups[here], values[here], greatest)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.clip(moment / total, least, greatest)
    return np.where(total > 0, found, np.nan)


def counter_rate(points: Any, bits: int | None = None) -> pa.Array:
    """The increase per second of a counter.

    A counter that falls was reset to 0: it grew by its new value. With `bits`, a fall by more than
    half of 2^bits is a wrap. Null for a group with fewer than two different times.

    Args:
        points: time series; values of int64 and uint64 are subtracted as integers.
        bits: width of a counter that wraps.
    """
    times, values, owners, lengths = flat(points)
    same = owners[1:] == owners[:-1]
    fell, size = difference(values[:-1], values[1:])
    steps = np.where(fell, values[1:].astype(np.float64), size.astype(np.float64))
    if bits is not None:
        wrapped = fell & (size > 2.0 ** (bits - 1)) & ((size < 2.0**bits) | (bits == 64))
        steps = np.where(wrapped, beyond_wrap(size, float(bits)), steps)
    grown = np.bincount(owners[1:][same], steps[same], len(lengths))
    elapsed = (
        np.bincount(
            owners[1:][same], (times[1:] - times[:-1])[same].astype(np.float64), len(lengths)
        )
        / 1e6
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return pa.array(grown / elapsed, pa.float64(), mask=elapsed == 0)


def slope(points: Any) -> pa.Array:
    """The least squares slope of each group, in the unit of its values per second.

    Null for a group with fewer than two different times.
    """
    times, values, owners, lengths = flat(points)
    # Centring on the mean avoids the difference of large squares.
    first = (
        times[np.minimum(np.r_[0, np.cumsum(lengths)[:-1]], max(len(times) - 1, 0))]
        if len(times)
        else np.zeros(len(lengths))
    )
    t = (times - first[owners]) / 1e6
    t = t - _means(owners, t, None, len(lengths))[owners]
    x = values - _means(owners, values, None, len(lengths))[owners]
    across, along = (
        np.bincount(owners, t * x, len(lengths)),
        np.bincount(owners, t * t, len(lengths)),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return pa.array(across / along, pa.float64(), mask=along == 0)


def hourly(points: Any, ends: Any, hours: int) -> Floats:
    """The means of the last `hours` hours before `ends`, the newest first.

    Args:
        points: time series, one for each group.
        ends: end of the last hour of each group, timestamps.
        hours: number of hours.

    Returns:
        Shape (groups, hours). NaN where an hour has no point.
    """
    times, values, owners, lengths = flat(points)
    back = (micros(ends)[owners] - 1 - times) // 3_600_000_000
    here = (back >= 0) & (back < hours)
    cells = owners[here] * hours + back[here]
    return _means(cells, values[here], None, len(lengths) * hours).reshape(len(lengths), hours)
