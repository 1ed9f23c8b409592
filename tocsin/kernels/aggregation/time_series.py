"""Results over lists of (time, value) in time order, one list a group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Floats, Int64s, micros


def flat(points: Any) -> tuple[Int64s, Floats, Int64s, Int64s]:
    """Times, values, the group of each point, and the number of points of each group."""
    lengths = np.diff(points.offsets.to_numpy()).astype(np.int64)
    items = points.flatten()
    owners = np.repeat(np.arange(len(lengths)), lengths)
    return items.field("time").to_numpy(), items.field("value").to_numpy(), owners, lengths


def time_weighted_mean(points: Any, ends: Any) -> pa.Array:
    """Mean of a step function that starts at the first point and ends at `ends`; null for a group without points.

    Of points at one time the last in order, the greatest value, holds.
    """
    times, values, owners, lengths = flat(points)
    following = np.r_[times[1:], 0]
    is_last = np.r_[owners[1:] != owners[:-1], True] if len(owners) else np.zeros(0, bool)
    until = np.where(is_last, micros(ends)[owners], following)
    weights = (until - times).astype(np.float64)
    total = np.bincount(owners, weights, len(lengths))
    moment = np.bincount(owners, weights * values, len(lengths))
    with np.errstate(invalid="ignore", divide="ignore"):
        return pa.array(moment / total, pa.float64(), mask=total == 0)


def counter_rate(points: Any) -> pa.Array:
    """Increase a second of a counter that may be reset; null for a group with fewer than two different times."""
    times, values, owners, lengths = flat(points)
    same = owners[1:] == owners[:-1]
    steps = np.where(values[1:] >= values[:-1], values[1:] - values[:-1], values[1:])
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
    """Least squares slope over time, a second; null for a group with fewer than two different times."""
    times, values, owners, lengths = flat(points)
    count = np.maximum(lengths, 1)
    # About the first time and the mean, so that squares of large numbers are not subtracted from one another.
    first = (
        times[np.minimum(np.r_[0, np.cumsum(lengths)[:-1]], max(len(times) - 1, 0))]
        if len(times)
        else np.zeros(len(lengths))
    )
    t = (times - first[owners]) / 1e6
    t = t - (np.bincount(owners, t, len(lengths)) / count)[owners]
    x = values - (np.bincount(owners, values, len(lengths)) / count)[owners]
    across, along = (
        np.bincount(owners, t * x, len(lengths)),
        np.bincount(owners, t * t, len(lengths)),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return pa.array(across / along, pa.float64(), mask=along == 0)


def hourly(points: Any, ends: Any, hours: int) -> Floats:
    """The mean of each of the last hours before `ends`, the newest first: a row a group, NaN where an hour has no point."""
    times, values, owners, lengths = flat(points)
    back = (micros(ends)[owners] - 1 - times) // 3_600_000_000
    here = (back >= 0) & (back < hours)
    cells = owners[here] * hours + back[here]
    count = np.bincount(cells, minlength=len(lengths) * hours)
    total = np.bincount(cells, values[here], len(lengths) * hours)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = (total / count).reshape(len(lengths), hours)
    return means
