"""Rows of keys in columns: those of some keys are found and replaced without touching others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Int64s

_CHUNK, _START, _COUNT = range(3)


class KeptRows:
    """Some rows of each slot, in an order that the caller sets.

    The rows of a slot are together in one chunk. A chunk is merged with its neighbour of equal
    size, and written again when most of its rows were replaced. So a row is copied a few times,
    however long the others stay.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._chunks: list[pa.RecordBatch] = []
        self._live: list[int] = []
        self._places = np.zeros((3, 0), np.int64)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(self._live)

    def make_room(self, slots: int) -> None:
        """Allow slots up to a number of them."""
        known = self._places.shape[1]
        if slots > known:
            places = np.zeros((3, max(slots, 2 * known)), np.int64)
            places[_CHUNK] = -1
            places[:, :known] = self._places
            self._places = places

    def of(self, slots: Int64s) -> tuple[Int64s, pa.RecordBatch]:
        """The rows of distinct slots, sorted by slot, and the slot of each row."""
        chunks, starts, counts = self._places[:, slots]
        found: list[tuple[Int64s, pa.RecordBatch]] = []
        for chunk in np.unique(chunks[chunks >= 0]).tolist():
            here = chunks == chunk
            owners, at = _runs(slots[here], starts[here], counts[here])
            found.append((owners, self._chunks[chunk].take(pa.array(at))))
        if not found:
            nothing = [pa.array([], field.type) for field in self.schema]
            return np.zeros(0, np.int64), pa.RecordBatch.from_arrays(nothing, schema=self.schema)
        owners = np.concatenate([one for one, _ in found])
        rows = pa.concat_batches([one for _, one in found]) if len(found) > 1 else found[0][1]
        if (owners[1:] >= owners[:-1]).all():
            return owners, rows
        order = np.argsort(owners, kind="stable")
        return owners[order], rows.take(pa.array(order))

    def all(self) -> tuple[Int64s, pa.RecordBatch]:
        """The rows of all slots, sorted by slot, and the slot of each row."""
        return self.of(np.flatnonzero(self._places[_CHUNK] >= 0))

    def replace(self, slots: Int64s, owners: Int64s, rows: pa.RecordBatch) -> None:
        """Give distinct slots other rows. owners: the slot of each row, sorted."""
        chunks, _, counts = self._places[:, slots]
        lost = np.bincount(chunks[chunks >= 0], counts[chunks >= 0], len(self._chunks))
        self._live = [live - int(less) for live, less in zip(self._live, lost, strict=True)]
        self._places[_CHUNK, slots] = -1
        self._put(len(self._chunks), owners, rows)
        while len(self._live) > 1 and self._live[-2] <= 2 * self._live[-1]:
            self._gather(len(self._live) - 2)
        for chunk, live in enumerate(self._live):
            if self._chunks[chunk].num_rows > 2 * live:
                self._write_again(chunk)

    def _gather(self, first: int) -> None:
        """Make one chunk of those from `first` on."""
        owners, rows = self.of(np.flatnonzero(self._places[_CHUNK] >= first))
        del self._chunks[first:], self._live[first:]
        self._put(first, owners, rows)

    def _write_again(self, chunk: int) -> None:
        """Leave out the rows of a chunk that were replaced."""
        owners, rows = self.of(np.flatnonzero(self._places[_CHUNK] == chunk))
        self._put(chunk, owners, rows)

    def _put(self, chunk: int, owners: Int64s, rows: pa.RecordBatch) -> None:
        """Set a chunk, or append it. owners: the slot of each row, sorted."""
        self._chunks[chunk : chunk + 1] = [rows]
        self._live[chunk : chunk + 1] = [rows.num_rows]
        slots, starts, counts = np.unique(owners, return_index=True, return_counts=True)
        self._places[:, slots] = np.full(len(slots), chunk), starts, counts


def _runs(slots: Int64s, starts: Int64s, counts: Int64s) -> tuple[Int64s, Int64s]:
    """The positions of runs of rows, and the slot of each position."""
    at = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    return np.repeat(slots, counts), at
