"""Which rows, or parts of sessions, belong to one session."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled


def session_ids(ids: Int64s, starts: Int64s, ends: Int64s) -> Int64s:
    """The session of each interval [start, end): intervals of one key that overlap are one session."""
    order = np.lexsort((starts, ids)).astype(np.int64)
    found = np.empty(len(ids), np.int64)
    _number(order, ids, starts, ends, found)
    return found


@compiled
def _number(order, ids, starts, ends, found):  # type: ignore[no-untyped-def]
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
