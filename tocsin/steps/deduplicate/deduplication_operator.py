"""Remembers the readings of a shard, and emits those that are new."""

from __future__ import annotations

from math import isqrt

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import Hashes, group_ids, hash_rows
from tocsin.kernels.batch import EVENT_TIME, FOREVER, WATERMARK, Int64s, micros
from tocsin.kernels.segments import arrival
from tocsin.kernels.state.key_index import KeyIndex
from tocsin.kernels.state.keyed_block import from_ipc, to_ipc
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.state.late_rows import set_apart
from tocsin.steps.state.row_log import same_pieces

_HEAD, _VERSION = b"tocsin.seen", b"2"
_SCHEMA = pa.schema(
    [pa.field("hash", pa.uint64()), pa.field("time", pa.int64())], metadata={_HEAD: _VERSION}
)
# Number of pieces after which they are merged: the root of the number of readings, if that is more.
# A call then costs no more than that root, for reading pieces and for merging them now and then.
_PIECES = 64


class DeduplicationOperator(Operator):
    """Remembers the readings of a shard by hash and event time."""

    eager = True

    def __init__(
        self, outputs: dict[str, pa.Schema], by: list[str], within: int, shards: int
    ) -> None:
        super().__init__(outputs["late"], outputs, by=by, shards=shards)
        self.within = within

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Rows by shard. Rows that arrive too late to be compared go to `late`."""
        late = micros(batch.column(EVENT_TIME)) + self.within < micros(batch.column(WATERMARK))
        batch, outputs = set_apart(batch, late)
        return Routed(self.split(batch), outputs, {"late": int(late.sum())})

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows may be forgotten."""
        return (
            int(micros(batch.column(EVENT_TIME)).min()) + self.within + 1
            if batch.num_rows
            else None
        )

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Emit new readings, and forget those older than `within` at `time`.

        Rows come with the time -FOREVER when they arrive.
        """
        memory = {} if memory is None else memory
        # Removed while it changes, so an exception cannot leave it half-updated.
        seen: _Seen | None = memory.pop("seen", None)
        if seen is None or not same_pieces(seen.pieces, state):
            seen = _Seen.read(state)
        outputs: list[tuple[str, pa.RecordBatch]] = []
        counts = {"kept": 0, "filtered": 0}
        for batch in log:
            kept = self._new(seen, batch)
            counts["kept"] += kept.num_rows
            counts["filtered"] += batch.num_rows - kept.num_rows
            if kept.num_rows:
                outputs.append(("output", kept))
        if time >= FOREVER:
            return Advanced(outputs, [], None, counts)
        if time > -FOREVER:
            seen = seen.without(time - self.within)
        # Readings are forgotten when half of the span has passed since, not one by one.
        due = None
        if seen.oldest is not None:
            due = seen.oldest + self.within + max(self.within // 2, 1_000_000)
        memory["seen"] = seen
        return Advanced(outputs, seen.write(), due, counts)

    def _new(self, seen: _Seen, batch: pa.RecordBatch) -> pa.RecordBatch:
        order = (
            np.lexsort(tuple(reversed(arrival(batch))))
            if arrival(batch)
            else np.arange(batch.num_rows)
        )
        batch = batch.take(pa.array(order))
        hashes = hash_rows([*(batch.column(name) for name in self.by), batch.column(EVENT_TIME)])
        _, first = group_ids([pa.array(hashes)])
        new = first[seen.index.find(hashes[first]) < 0]
        seen.add(hashes[new], micros(batch.column(EVENT_TIME))[new])
        return batch.take(pa.array(np.sort(new)))


class _Seen:
    """Hashes and event times of readings: a piece for each call, merged when there are many.

    oldest: the earliest time, or None without readings.
    """

    def __init__(self, hashes: Hashes, times: Int64s) -> None:
        self.pieces: list[bytes] = []
        self._parts = [(hashes, times)]
        self._written = 0
        self.oldest = int(times.min()) if len(times) else None
        self._count = len(hashes)
        self.index = KeyIndex()
        self.index.add(hashes)

    @classmethod
    def read(cls, pieces: list[bytes]) -> _Seen:
        """Read pieces. Raises ValueError if another version wrote them."""
        batches = [from_ipc(piece) for piece in pieces]
        if any((batch.schema.metadata or {}).get(_HEAD) != _VERSION for batch in batches):
            raise ValueError(
                "deduplication state of another version, "
                f"this program reads version {_VERSION.decode()}"
            )
        columns = pa.Table.from_batches(batches, _SCHEMA)
        found = cls(columns.column(0).to_numpy(), columns.column(1).to_numpy())
        found.pieces, found._written = list(pieces), 1
        return found

    def add(self, hashes: Hashes, times: Int64s) -> None:
        """Add readings that are not among them."""
        if len(hashes):
            self.index.add(hashes)
            self._parts.append((hashes, times))
            first = int(times.min())
            self.oldest = first if self.oldest is None else min(first, self.oldest)
            self._count += len(hashes)

    def without(self, before: int) -> _Seen:
        """The readings from a time on."""
        if self.oldest is None or self.oldest >= before:
            return self
        hashes, times = self._together(0)
        kept = times >= before
        return _Seen(hashes[kept], times[kept])

    def write(self) -> list[bytes]:
        """The pieces from now on."""
        if len(self.pieces) >= max(_PIECES, isqrt(self._count)):
            self.pieces, self._written = [], 0
        hashes, times = self._together(self._written)
        self._parts = (
            [*self._parts[: self._written], (hashes, times)]
            if len(hashes)
            else self._parts[: self._written]
        )
        if len(hashes):
            self.pieces = [
                *self.pieces,
                to_ipc(
                    pa.RecordBatch.from_arrays([pa.array(hashes), pa.array(times)], schema=_SCHEMA)
                ),
            ]
        self._written = len(self._parts)
        return self.pieces

    def _together(self, since: int) -> tuple[Hashes, Int64s]:
        parts = [*self._parts[since:], (np.zeros(0, np.uint64), np.zeros(0, np.int64))]
        return np.concatenate([part for part, _ in parts]), np.concatenate(
            [part for _, part in parts]
        )
