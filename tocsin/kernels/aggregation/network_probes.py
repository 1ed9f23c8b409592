"""What a window's probes of a link say: loss by sequence numbers, and three kinds of jitter. Lists as in `points`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.time_series import flat
from tocsin.kernels.compiled import compiled


def lost_share(points: Any) -> pa.Array:
    """Share of the sequence numbers from the least to the greatest that are not there; null for a group without any.

    One that comes twice is there once, and one that comes out of order is there (RFC 7680 counts what never comes).
    """
    _, values, owners, lengths = flat(points)
    order = np.lexsort((values, owners))
    values, owners = values[order], owners[order]
    new = (
        np.r_[True, (values[1:] != values[:-1]) | (owners[1:] != owners[:-1])]
        if len(values)
        else np.zeros(0, bool)
    )
    seen = np.bincount(owners[new], minlength=len(lengths))
    least, most = np.full(len(lengths), np.inf), np.full(len(lengths), -np.inf)
    np.minimum.at(least, owners, values)
    np.maximum.at(most, owners, values)
    with np.errstate(invalid="ignore"):
        return pa.array(1 - seen / (most - least + 1), pa.float64(), mask=lengths == 0)


def interarrival_jitter(points: Any) -> pa.Array:
    """RFC 3550 jitter at the end of each group, from 0 at its start; null for fewer than two points."""
    _, values, _, lengths = flat(points)
    found = np.zeros(len(lengths))
    _smooth(values, np.r_[0, np.cumsum(lengths)].astype(np.int64), found)
    return pa.array(found, mask=lengths < 2)


@compiled
def _smooth(values, bounds, found):  # type: ignore[no-untyped-def]
    """J += (|D| - J) / 16 over each group."""
    for group in range(len(bounds) - 1):
        jitter = 0.0
        for at in range(bounds[group] + 1, bounds[group + 1]):
            jitter += (abs(values[at] - values[at - 1]) - jitter) / 16.0
        found[group] = jitter


def consecutive_variation(points: Any) -> pa.Array:
    """Mean of the absolute differences of consecutive values; null for fewer than two points."""
    _, values, owners, lengths = flat(points)
    same = owners[1:] == owners[:-1]
    total = np.bincount(owners[1:][same], np.abs(np.diff(values))[same], len(lengths))
    with np.errstate(invalid="ignore", divide="ignore"):
        return pa.array(total / (lengths - 1), pa.float64(), mask=lengths < 2)
