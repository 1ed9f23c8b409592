"""Readings are judged, and alarms given out, in steps of event time, so that one timer serves many of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import EVENT_TIME, WATERMARK, Int64s, micros

RELEASE = 1_000_000
"""Microseconds."""


def release_after(time: int) -> int:
    """The end of the step in which a time is."""
    return (time // RELEASE + 1) * RELEASE


def here_at(rows: pa.RecordBatch) -> Int64s:
    """When each row is there: at its event time, or when it came, if it came behind its partition's watermark."""
    return np.maximum(micros(rows.column(EVENT_TIME)), micros(rows.column(WATERMARK)))


def come_at(times: Int64s, revisions: Any, lateness: int) -> Int64s:
    """When window results are there, in event time: a revision the allowed lateness after its window's own result."""
    come: Int64s = times + np.where(revisions.to_numpy(zero_copy_only=False) > 0, lateness, 0)
    return come


def moments(times: Int64s) -> Int64s:
    """The last moment of the step of each time: what is given out then is never behind a watermark."""
    last: Int64s = (times // RELEASE + 1) * RELEASE - 1
    return last
