"""When rows are available and released: in steps of event time, so one timer serves many rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import EVENT_TIME, WATERMARK, Int64s, micros

RELEASE = 1_000_000
"""Length of a step of event time, microseconds."""


def release_after(time: int) -> int:
    """The end of the step that contains a time."""
    return (time // RELEASE + 1) * RELEASE


def first_release(batch: pa.RecordBatch) -> int | None:
    """When the first row of a batch may be released by its event time; None without rows."""
    if not batch.num_rows:
        return None
    return release_after(int(micros(batch.column(EVENT_TIME)).min()))


def available_at(rows: pa.RecordBatch) -> Int64s:
    """When each row is available: at its event time, or at the watermark that it arrived behind."""
    return np.maximum(micros(rows.column(EVENT_TIME)), micros(rows.column(WATERMARK)))


def result_available_at(times: Int64s, revisions: Any, lateness: int) -> Int64s:
    """When window results are available: a revision `lateness` after its window's own result."""
    is_revision = revisions.to_numpy(zero_copy_only=False) > 0
    available: Int64s = times + np.where(is_revision, lateness, 0)
    return available


def last_moments(times: Int64s) -> Int64s:
    """The last microsecond of the step of each time: a row with it is never behind a watermark."""
    last: Int64s = (times // RELEASE + 1) * RELEASE - 1
    return last
