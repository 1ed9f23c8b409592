"""Rows of some keys in order: those emitted before, those emitted now and those that still wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.batch import Booleans, Int64s
from tocsin.kernels.segments import segments
from tocsin.steps.ordered.history import History
from tocsin.steps.ordered.ordered_rows import Ordered
from tocsin.steps.ordered.waiting_rows import WaitingRows

# Whether a row was emitted before, is emitted now, or waits.
_BEFORE, _NOW, _WAITS = range(3)


@dataclass(frozen=True)
class Sequence:
    """Rows in order of (key, event time, arrival).

    owners: the slot of each row. times: microseconds. columns: what other rows are compared with.
    """

    owners: Int64s
    times: Int64s
    columns: list[Any]
    when: Any

    @property
    def now(self) -> Booleans:
        """Whether each row is emitted now."""
        found: Booleans = self.when == _NOW
        return found

    def ordered(self, schema: pa.Schema, known: int) -> Ordered:
        """The rows as their columns are computed from them."""
        rows = pa.RecordBatch.from_arrays(self.columns, schema=schema)
        new = np.ones(min(len(self.owners), 1), bool)
        starts = np.flatnonzero(np.r_[new, self.owners[1:] != self.owners[:-1]])
        bounds = np.r_[starts, len(self.owners)].astype(np.int64)
        return Ordered(rows, bounds, self.times, known)

    def without_waiting(self) -> Sequence:
        """The rows without those that wait."""
        here = self.when != _WAITS
        return self if here.all() else self.filter(here)

    def filter(self, kept: Booleans) -> Sequence:
        """The rows where `kept` is true."""
        mask = pa.array(kept)
        columns = [column.filter(mask) for column in self.columns]
        return Sequence(self.owners[kept], self.times[kept], columns, self.when[kept])


def in_order(rows: WaitingRows) -> WaitingRows:
    """Rows sorted by slot, event time and arrival."""
    ties = [
        tie.to_numpy()
        if pa.types.is_int64(tie.type) and not tie.null_count
        else pc.rank(tie, tiebreaker="dense").to_numpy()
        for tie in rows.ties
    ]
    return rows.take(segments(rows.slots, rows.times, *ties).order)


def sequence(history: History, slots: Int64s, rows: WaitingRows, until: int) -> Sequence:
    """The history of distinct slots, and their rows in order; those until `until` come now."""
    before, times, columns = history.of(slots)
    owners = np.r_[before, rows.slots]
    # The history of a key precedes its other rows.
    order = np.argsort(owners, kind="stable")
    which = pa.array(order)
    joined = [
        pa.concat_arrays([old, new]).take(which)
        for old, new in zip(columns, rows.columns, strict=True)
    ]
    when = np.r_[np.full(len(before), _BEFORE), np.where(rows.moments < until, _NOW, _WAITS)]
    return Sequence(owners[order], np.r_[times, rows.times][order], joined, when[order])
