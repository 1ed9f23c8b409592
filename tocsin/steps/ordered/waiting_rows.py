"""The rows of a log that were not emitted yet, as the few columns that put them in order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Booleans, Int64s


@dataclass(frozen=True)
class WaitingRows:
    """Columns with one element a row, in order of arrival.

    slots: of the keys. times: event times, microseconds. moments: when each row is available.
    late: whether a row came too late to be put in order. batches, rows: the place in the log.
    ties: what orders rows of one key and time. columns: what other rows are compared with.
    """

    slots: Int64s
    times: Int64s
    moments: Int64s
    late: Booleans
    batches: Int64s
    rows: Int64s
    ties: list[Any]
    columns: list[Any]

    def __len__(self) -> int:
        return len(self.slots)

    @classmethod
    def _made(cls, arrays: list[Any], ties: list[Any], columns: list[Any]) -> WaitingRows:
        slots, times, moments, late, batches, rows = arrays
        return cls(slots, times, moments, late, batches, rows, ties, columns)

    def _arrays(self) -> list[Any]:
        return [self.slots, self.times, self.moments, self.late, self.batches, self.rows]

    def take(self, at: Int64s) -> WaitingRows:
        """Some rows, by number."""
        which = pa.array(at)
        ties, columns = ([one.take(which) for one in each] for each in (self.ties, self.columns))
        return self._made([one[at] for one in self._arrays()], ties, columns)

    def filter(self, kept: Booleans) -> WaitingRows:
        """The rows where `kept` is true."""
        if kept.all():
            return self
        return self.take(np.flatnonzero(kept))

    def and_then(self, more: WaitingRows) -> WaitingRows:
        """These rows, then others."""
        if not len(self) or not len(more):
            return more if len(more) else self
        arrays = [np.concatenate(both) for both in zip(self._arrays(), more._arrays(), strict=True)]
        ties, columns = (
            [pa.concat_arrays(both) for both in zip(*lists, strict=True)]
            for lists in ((self.ties, more.ties), (self.columns, more.columns))
        )
        return self._made(arrays, ties, columns)

    def in_one_batch(self) -> WaitingRows:
        """The same rows, when the log is a batch of them."""
        count = len(self)
        return replace(self, batches=np.zeros(count, np.int64), rows=np.arange(count))


def gathered(
    log: list[pa.RecordBatch], batches: Int64s, rows: Int64s, schema: pa.Schema
) -> pa.RecordBatch:
    """At least one row of a log, in the order given. batches, rows: the place of each."""
    order = np.argsort(batches, kind="stable")
    bounds = np.flatnonzero(np.diff(batches[order])) + 1
    parts = [
        log[batches[at[0]]].take(pa.array(rows[at])).replace_schema_metadata(schema.metadata)
        for at in np.split(order, bounds)
    ]
    whole = pa.concat_batches(parts) if len(parts) > 1 else parts[0]
    if (order[1:] > order[:-1]).all():
        return whole
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return whole.take(pa.array(back))
