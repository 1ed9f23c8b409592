"""State of an ordered step: rows wait until those before and after them have arrived.

A firing touches what arrived since the last one, what still waits, and the history of the keys that
it emits rows of. Waiting rows stay in the log, and their history in the state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.batch import (
    EVENT_TIME,
    FOREVER,
    WATERMARK,
    Booleans,
    Int64s,
    micros,
    no_rows,
    traits,
)
from tocsin.kernels.segments import arrival
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.ordered.history import History
from tocsin.steps.ordered.ordered_rows import OrderedColumns
from tocsin.steps.ordered.sequence import in_order, sequence
from tocsin.steps.ordered.waiting_rows import WaitingRows, gathered
from tocsin.steps.state.late_rows import set_apart
from tocsin.steps.state.release_times import available_at, release_after
from tocsin.steps.state.row_log import begins_with, is_spent, rows_of, same_pieces

Outputs = list[tuple[str, pa.RecordBatch]]


@dataclass
class _Shard:
    """What a shard knows of its state and log.

    log: the batches that `waiting` was made from. size: the number of their rows.
    """

    history: History
    waiting: WaitingRows
    log: list[pa.RecordBatch] = field(default_factory=list)
    size: int = 0


class OrderingOperator(Operator):
    """Puts rows in order of (key, event time), and emits each after `lookahead`.

    A row behind its partition's watermark is late. It goes to `late`; without that output, it is
    emitted when the watermark has passed. Only revision 0 of aggregates is used.
    """

    version = 2
    state_name = "state of an ordered step"

    def __init__(
        self,
        columns: OrderedColumns,
        schema: pa.Schema,
        outputs: dict[str, pa.Schema],
        *,
        by: list[str],
        shards: int,
        lookahead: int,
    ) -> None:
        super().__init__(schema, outputs, by=by, shards=shards, lookahead=lookahead)
        self.columns = columns
        self.schema = outputs["output"]
        self.is_aggregated = traits(schema).aggregated
        keys = [key for key in traits(schema).keys if key in schema.names and key not in by]
        # Aggregates have no offsets: their other keys distinguish rows of one key and window.
        self.others = keys if self.is_aggregated else []
        self.key_schema = pa.schema([schema.field(name).with_metadata(None) for name in by])

    @cached_property
    def _compared(self) -> pa.Schema:
        """The schema of the columns that other rows are compared with."""
        return self.columns.compared(no_rows(self.shard_schema)).schema

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Rows by shard."""
        rows = batch.num_rows
        if self.is_aggregated:
            batch = batch.filter(pc.equal(batch.column("revision"), 0))
        counts = {"filtered": rows - batch.num_rows}
        outputs: dict[str, pa.RecordBatch] = {}
        if "late" in self.outputs:
            late = _is_late(batch)
            batch, outputs = set_apart(batch, late)
            counts["late"] = int(late.sum())
        counts["kept"] = batch.num_rows
        return Routed(self.split(batch), outputs, counts)

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows may be emitted."""
        return (
            release_after(int(available_at(batch).min())) + self.lookahead
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
        """Emit the rows that are `lookahead` before `time`."""
        memory = {} if memory is None else memory
        # Removed while it changes, so an exception cannot leave it half-updated.
        shard: _Shard | None = memory.pop("ordered", None)
        if shard is None or not (
            same_pieces(shard.history.pieces, state) and begins_with(log, shard.log)
        ):
            history = History.read(state, self.key_schema, self._compared, self.read_note)
            shard = _Shard(history, self._narrow(no_rows(self.shard_schema), history))
        self._take(shard, log)
        until = FOREVER if time >= FOREVER else time - self.lookahead
        new = shard.waiting.moments < until
        outputs: Outputs = []
        if new.any():
            known = time if time < FOREVER else end if end is not None else -FOREVER
            outputs = self._emitted(shard, new, until, known)
            shard.waiting = shard.waiting.filter(~new)
        if time >= FOREVER:
            return Advanced(outputs, [], None)
        waiting = shard.waiting
        due = release_after(int(waiting.moments.min())) + self.lookahead if len(waiting) else None
        kept = self._left(shard)
        memory["ordered"] = shard
        return Advanced(outputs, shard.history.pieces, due, log=kept)

    def _take(self, shard: _Shard, log: list[pa.RecordBatch]) -> None:
        """Note the rows that arrived since."""
        first = len(shard.log)
        arrived = log[first:]
        sizes = [batch.num_rows for batch in arrived]
        shard.log, shard.size = list(log), shard.size + sum(sizes)
        if not any(sizes):
            return
        rows = self._narrow(rows_of(arrived, self.shard_schema), shard.history)
        rows.batches[:] = first + np.repeat(np.arange(len(sizes)), sizes)
        rows.rows[:] = np.concatenate([np.arange(size) for size in sizes])
        # A log that was read again has rows that were emitted.
        shard.waiting = shard.waiting.and_then(rows.filter(rows.moments >= shard.history.released))

    def _narrow(self, rows: pa.RecordBatch, history: History) -> WaitingRows:
        times, moments = micros(rows.column(EVENT_TIME)), available_at(rows)
        slots = history.slots(rows.select(self.by))
        batches, places = np.zeros((2, len(times)), np.int64)
        ties = [*map(pa.array, arrival(rows)), *(rows.column(name) for name in self.others)]
        columns = self.columns.compared(rows).columns
        return WaitingRows(slots, times, moments, _is_late(rows), batches, places, ties, columns)

    def _left(self, shard: _Shard) -> list[pa.RecordBatch] | None:
        """The log that the shard keeps, or None if it keeps the one that it got."""
        waiting = shard.waiting
        if not is_spent(shard.size, len(waiting)):
            return None
        shard.log = [self._wide(shard, waiting)] if len(waiting) else []
        shard.waiting, shard.size = waiting.in_one_batch(), len(waiting)
        return shard.log

    def _emitted(self, shard: _Shard, new: Booleans, until: int, known: int) -> Outputs:
        """New rows with their columns: those in order, then the late ones. Changes the history."""
        found = []
        waiting = shard.waiting
        kept = shard.history.nothing
        on_time, late = new & ~waiting.late, new & waiting.late
        if on_time.any():
            batch, kept = self._in_order(shard, on_time, until, known)
            found.append(batch)
        if late.any():
            alone = self._wide(shard, waiting.filter(late))
            found.append(self._with(alone, self.columns.alone(alone)))
        shard.history.write(*kept, until, self.note)
        return [("output", batch) for batch in found]

    def _in_order(
        self, shard: _Shard, new: Booleans, until: int, known: int
    ) -> tuple[pa.RecordBatch, tuple[Int64s, pa.RecordBatch]]:
        """New rows in order with their columns, and those that later rows need, with their slots.

        Changes the history.
        """
        waiting, ours = shard.waiting, new
        slots = np.unique(waiting.slots[new])
        if self.lookahead:
            is_ours = np.zeros(shard.history.keys.keys.num_rows, bool)
            is_ours[slots] = True
            ours = new | (is_ours[waiting.slots] & ~waiting.late & (waiting.moments >= until))
        rows = in_order(waiting.filter(ours))
        found = sequence(shard.history, slots, rows, until)
        mine = pa.array(found.now)
        columns = self.columns.columns_of(found.ordered(self._compared, known))
        added = [column.filter(mine) for column in columns]
        emitted = found.without_waiting()
        left = emitted.filter(self.columns.needed(emitted.ordered(self._compared, known)))
        kept = shard.history.replace(slots, left.owners, left.times, left.columns, left.now)
        wide = self._wide(shard, rows.filter(rows.moments < until))
        return self._with(self.columns.changed(wide, added), added), kept

    def _wide(self, shard: _Shard, rows: WaitingRows) -> pa.RecordBatch:
        """The rows themselves, from the log."""
        return gathered(shard.log, rows.batches, rows.rows, self.shard_schema)

    def _with(self, rows: pa.RecordBatch, added: list[pa.Array]) -> pa.RecordBatch:
        own = [
            column
            for name, column in zip(rows.schema.names, rows.columns, strict=True)
            if not name.startswith("_")
        ]
        return pa.RecordBatch.from_arrays(
            [*own, *added, *rows.columns[len(own) :]], schema=self.schema
        )


def _is_late(rows: pa.RecordBatch) -> Booleans:
    late: Booleans = micros(rows.column(EVENT_TIME)) < micros(rows.column(WATERMARK))
    return late
