"""Quality of a link from a window's probes: loss by sequence number, and kinds of jitter.

Each function takes a list array as the accumulator `points` or `exact_points` gives it: one list of
(time, value) for each group, sorted by time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.time_series import flat
from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.compiled import compiled
from tocsin.kernels.counters import difference


def lost_share(points: Any) -> pa.Array:
    """The share of missing sequence numbers between the lowest and the highest, from 0 to 1.

    A duplicate counts once. A reordered number is not missing: RFC 7680 counts packets that never
    arrive. Null for a group without points.
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
    if not len(values):
        return pa.nulls(len(lengths), pa.float64())
    ends = np.cumsum(lengths)
    first, last = np.minimum(ends - lengths, len(values) - 1), np.maximum(ends - 1, 0)
    _, span = difference(values[first], values[last])
    return pa.array(1 - seen / (span.astype(np.float64) + 1), pa.float64(), mask=lengths == 0)


def interarrival_jitter(points: Any) -> pa.Array:
    """The interarrival jitter (RFC 3550, 6.4.1) of each group, in the unit of its values.

    The estimate starts at 0 in each group. Null for fewer than two points.
    """
    _, values, _, lengths = flat(points)
    found = np.zeros(len(lengths))
    _smooth(values, np.r_[0, np.cumsum(lengths)].astype(np.int64), found)
    return pa.array(found, mask=lengths < 2)


@compiled
def _smooth(values: Floats, bounds: Int64s, found: Floats) -> None:
    """Write the last J of each group to `found`: J += (|D| - J) / 16."""
    for group in range(len(bounds) - 1):
        jitter = 0.0
        for at in range(bounds[group] + 1, bounds[group + 1]):
            jitter += (abs(values[at] - values[at - 1]) - jitter) / 16.0
        found[group] = jitter


def consecutive_variation(points: Any) -> pa.Array:
    """The mean absolute difference of consecutive values (IPDV, RFC 3393) of each group.

    Null for fewer than two points.
    """
    _, values, owners, lengths = flat(points)
    same = owners[1:] == owners[:-1]
    total = np.bincount(owners[1:][same], np.abs(np.diff(values))[same], len(lengths))
    with np.errstate(invalid="ignore", divide="ignore"):
        return pa.array(total / (lengths - 1), pa.float64(), mask=lengths < 2)
