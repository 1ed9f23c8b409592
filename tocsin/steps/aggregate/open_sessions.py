"""Which partial results are of sessions that are complete, found without merging the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import Booleans, Int64s
from tocsin.kernels.time.sessions import session_ids
from tocsin.steps.aggregate.partials import END, START


@dataclass(frozen=True)
class Sessions:
    """Partial results of sessions. ready: of those that are complete. left: the others.

    first_end: the earliest end of the others, microseconds; None without others.
    """

    ready: list[pa.RecordBatch]
    left: list[pa.RecordBatch]
    first_end: int | None


def groups_of_sessions(columns: list[Any], starts: Int64s, ends: Int64s) -> Int64s:
    """The session of each partial result. columns: the keys; none if all have the same."""
    keys = group_ids(columns)[0] if columns else np.zeros(len(starts), np.int64)
    return session_ids(keys, starts, ends)


def sessions_at(parts: list[pa.RecordBatch], by: list[str], time: int) -> Sessions:
    """The sessions of a log, at least one row, that end by a time, and the others."""
    starts, ends = (
        np.concatenate([part.column(name).to_numpy() for part in parts]) for name in (START, END)
    )
    columns = [pa.concat_arrays([part.column(name) for part in parts]) for name in by]
    ids = groups_of_sessions(columns, starts, ends)
    latest = np.full(int(ids.max()) + 1, np.iinfo(np.int64).min)
    np.maximum.at(latest, ids, ends)
    over = latest <= time
    bounds = np.cumsum([part.num_rows for part in parts])[:-1]
    masks = np.split(over[ids], bounds)
    open_ends = latest[~over]
    return Sessions(
        _filtered(parts, masks),
        _filtered(parts, [~mask for mask in masks]),
        int(open_ends.min()) if len(open_ends) else None,
    )


def _filtered(parts: list[pa.RecordBatch], masks: list[Booleans]) -> list[pa.RecordBatch]:
    """The rows of each part where its mask is true, without parts that have none."""
    return [
        part if mask.all() else part.filter(pa.array(mask))
        for part, mask in zip(parts, masks, strict=True)
        if mask.any()
    ]
