"""Positions of moving sensors: where each was at a row, whatever comes in the same batch."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats, Int64s


def last_known(positions: Floats, starts: Int64s, before: Floats) -> Floats:
    """The last known position of its key at each row.

    positions: latitude and longitude of each row, shape (rows, 2), NaN where unknown, in order of
    (key, event time). starts: the first row of each key, and the number of rows. before: of each
    key, shape (keys, 2).
    """
    rows = np.arange(len(positions))
    firsts = np.repeat(starts[:-1], np.diff(starts))
    found = np.empty_like(positions)
    for column in range(positions.shape[1]):
        values = positions[:, column]
        known = np.maximum.accumulate(np.where(np.isnan(values), -1, rows))
        seeds = np.repeat(before[:, column], np.diff(starts))
        found[:, column] = np.where(known >= firsts, values[known], seeds)
    return found
