"""Deterministic lateness: a row is judged by the watermark of its own partition at its own offset."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import BEGINNING, Int64s


def running_watermarks(times: Int64s, greatest: int, out_of_orderness: int) -> tuple[Int64s, int]:
    """The watermark before each row of one partition in offset order, and the greatest event time after the last.

    times: event times of accepted rows, microseconds. greatest: greatest event time before the first row, or
    BEGINNING. The watermark is the greatest event time so far less `out_of_orderness`; BEGINNING where there is none.
    """
    greatest_so_far = np.maximum.accumulate(np.r_[np.int64(greatest), times])
    before = greatest_so_far[:-1]
    watermarks = np.where(before <= BEGINNING, BEGINNING, before - out_of_orderness)
    return watermarks, int(greatest_so_far[-1])


def from_the_future(
    times: Int64s, received: Int64s, max_future: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows whose event time is more than `max_future` after they were received; unknown receipt (BEGINNING) passes."""
    return (received > BEGINNING) & (times > received + max_future)
