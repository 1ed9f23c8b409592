"""Deterministic lateness: the watermark of a row's partition at its offset decides."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import BEGINNING, Int64s


def running_watermarks(times: Int64s, greatest: int, out_of_orderness: int) -> tuple[Int64s, int]:
    """The watermark before each row of a partition, and the greatest event time after the last row.

    The watermark is the greatest event time so far less `out_of_orderness`, or BEGINNING before the
    first row of the partition.

    Args:
        times: event times of accepted rows in offset order, microseconds.
        greatest: greatest event time before the first row, or BEGINNING.
        out_of_orderness: microseconds.
    """
    greatest_so_far = np.maximum.accumulate(np.r_[np.int64(greatest), times])
    return behind(greatest_so_far[:-1], out_of_orderness), int(greatest_so_far[-1])


def behind(greatest: Int64s, out_of_orderness: int) -> Int64s:
    """The watermark for each greatest event time; BEGINNING gives BEGINNING."""
    watermarks: Int64s = np.where(greatest <= BEGINNING, BEGINNING, greatest - out_of_orderness)
    return watermarks


def from_the_future(
    times: Int64s, received: Int64s, max_future: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each row's event time is more than `max_future` after its arrival.

    Args:
        times: event times, microseconds.
        received: arrival times, microseconds. Unknown (BEGINNING) gives False.
        max_future: microseconds.
    """
    return (received > BEGINNING) & (times > received + max_future)
