"""Session numbers of rows or of partial sessions."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled


def session_ids(ids: Int64s, starts: Int64s, ends: Int64s) -> Int64s:
    """The session number of each interval [start, end). Overlapping intervals of one key share one.

    Args:
        ids: the key's group number of each interval.
        starts: inclusive starts, microseconds.
        ends: exclusive ends, microseconds.
    """
    order = np.lexsort((starts, ids)).astype(np.int64)
    found = np.empty(len(ids), np.int64)
    _number(order, ids, starts, ends, found)
    return found


@compiled
def _number(order: Int64s, ids: Int64s, starts: Int64s, ends: Int64s, found: Int64s) -> None:
    """Write the session of each interval to `found`. `order` sorts intervals by key and start."""
    session = -1
    key, end = np.int64(-1), np.int64(0)
    for at in range(len(order)):
        row = order[at]
        if session < 0 or ids[row] != key or starts[row] >= end:
            session += 1
            key, end = ids[row], ends[row]
        else:
            end = max(end, ends[row])
        found[row] = session
