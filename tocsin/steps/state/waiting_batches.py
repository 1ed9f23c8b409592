"""The rows of a log that wait for their event time, so that the released are not touched again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import EVENT_TIME, FOREVER, Int64s, micros
from tocsin.steps.state.row_log import is_spent


@dataclass(frozen=True)
class _Waiting:
    """Rows of one batch: their numbers and event times, microseconds."""

    batch: pa.RecordBatch
    rows: Int64s
    times: Int64s
    first: int

    @classmethod
    def of(cls, batch: pa.RecordBatch, rows: Int64s, times: Int64s) -> _Waiting:
        return cls(batch, rows, times, int(times.min(initial=FOREVER)))

    def taken(self) -> pa.RecordBatch:
        if len(self.rows) == self.batch.num_rows:
            return self.batch
        return self.batch.take(pa.array(self.rows))


class WaitingBatches:
    """Waiting rows by batch, in the order of the log.

    log: the batches that they are from. A batch that was released whole may stay in the log.
    """

    def __init__(self) -> None:
        self.log: list[pa.RecordBatch] = []
        self._size = 0
        self._waiting: list[_Waiting] = []

    def take(self, log: list[pa.RecordBatch], seen: int = 0, released: int = -FOREVER) -> None:
        """Note the batches that arrived since. The first batches of the log are the known ones.

        seen: how many batches a call had before which released all rows up to `released`.
        """
        for number in range(len(self.log), len(log)):
            batch = log[number]
            times = micros(batch.column(EVENT_TIME))
            rows = np.arange(len(times))
            if number < seen:
                rows = np.flatnonzero(times >= released)
            if len(rows):
                self._waiting.append(_Waiting.of(batch, rows, times[rows]))
            self._size += batch.num_rows
        self.log = list(log)

    def release(self, time: int) -> list[pa.RecordBatch]:
        """The rows before a time, which no longer wait."""
        ready, left = [], []
        for one in self._waiting:
            if one.first >= time:
                left.append(one)
                continue
            now = one.times < time
            ready.append(_Waiting.of(one.batch, one.rows[now], one.times[now]).taken())
            if not now.all():
                left.append(_Waiting.of(one.batch, one.rows[~now], one.times[~now]))
        self._waiting = left
        return ready

    def first(self) -> int | None:
        """The earliest event time of the rows, or None without rows."""
        return min((one.first for one in self._waiting), default=None)

    def kept(self) -> list[pa.RecordBatch] | None:
        """The log to keep, or None for the one that came."""
        left = sum(len(one.rows) for one in self._waiting)
        if not is_spent(self._size, left):
            return None
        self.log = [one.taken() for one in self._waiting]
        self._waiting = [
            _Waiting(batch, np.arange(batch.num_rows), one.times, one.first)
            for batch, one in zip(self.log, self._waiting, strict=True)
        ]
        self._size = left
        return self.log
