"""State of an ordered step: rows wait until those before and after them have arrived."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import EVENT_TIME, FOREVER, WATERMARK, Int64s, micros, traits
from tocsin.kernels.segments import arrival, segments
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.ordered.ordered_rows import Ordered, OrderedColumns
from tocsin.steps.state.late_rows import set_apart
from tocsin.steps.state.release_times import available_at, release_after
from tocsin.steps.state.row_log import is_spent, rows_of


class OrderingOperator(Operator):
    """Puts rows in order of (key, event time), and emits each after `lookahead`.

    A row behind its partition's watermark is late. It goes to `late`; without that output, it is
    emitted when the watermark has passed. Only revision 0 of aggregates is used.
    """

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
        self.others = keys if self.is_aggregated else []

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
        released = int(self.read_note(state[0])["released"]) if state else -FOREVER
        until = FOREVER if time >= FOREVER else time - self.lookahead
        rows = rows_of([batch for batch in log if batch.num_rows], self.shard_schema)
        moments, late = available_at(rows), _is_late(rows)
        new = (moments >= released) & (moments < until)
        outputs: list[tuple[str, pa.RecordBatch]] = []
        known = time if time < FOREVER else end if end is not None else -FOREVER
        if new.any():
            outputs = [
                ("output", batch)
                for batch in self._emitted(rows, new, late, known)
                if batch.num_rows
            ]
        if time >= FOREVER:
            return Advanced(outputs, [], None)
        waiting = moments >= until
        due = release_after(int(moments[waiting].min())) + self.lookahead if waiting.any() else None
        note = [self.note(released=until)]
        if not is_spent(rows.num_rows, int(waiting.sum())):
            # Too few rows are spent, even if no later row needs the others.
            return Advanced(outputs, note, due, log=None)
        kept = waiting | self._needed(rows, ~waiting & ~late, known)
        if not is_spent(rows.num_rows, int(kept.sum())):
            return Advanced(outputs, note, due, log=None)
        return Advanced(outputs, note, due, log=[rows.filter(pa.array(kept))] if kept.any() else [])

    def _emitted(
        self, rows: pa.RecordBatch, new: np.ndarray, late: np.ndarray, known: int
    ) -> list[pa.RecordBatch]:
        """New rows with their columns: those in order, then the late ones."""
        found = []
        if (new & ~late).any():
            order, ordered = self._ordered(rows, np.flatnonzero(~late), known)
            mine = pa.array(new[order])
            added = [one.filter(mine) for one in self.columns.columns_of(ordered)]
            found.append(self._with(self.columns.changed(ordered.rows.filter(mine), added), added))
        if (new & late).any():
            alone = rows.filter(pa.array(new & late))
            found.append(self._with(alone, self.columns.alone(alone)))
        return found

    def _needed(self, rows: pa.RecordBatch, emitted: np.ndarray, known: int) -> np.ndarray:
        needed = np.zeros(rows.num_rows, bool)
        if emitted.any():
            order, ordered = self._ordered(rows, np.flatnonzero(emitted), known)
            needed[order] = self.columns.needed(ordered)
        return needed

    def _ordered(self, rows: pa.RecordBatch, which: Int64s, known: int) -> tuple[Int64s, Ordered]:
        """Some rows in order, and their row numbers."""
        rows = rows.take(pa.array(which))
        ids, _ = group_ids([rows.column(name) for name in self.by])
        times = micros(rows.column(EVENT_TIME))
        # Aggregates have no offsets: their other keys distinguish rows of one key and window.
        others = [pc.rank(rows.column(name), tiebreaker="dense").to_numpy() for name in self.others]
        run = segments(ids, times, *arrival(rows), *others)
        return which[run.order], Ordered(
            rows.take(pa.array(run.order)), run.starts, times[run.order], known
        )

    def _with(self, rows: pa.RecordBatch, added: list[pa.Array]) -> pa.RecordBatch:
        own = [
            column
            for name, column in zip(rows.schema.names, rows.columns, strict=True)
            if not name.startswith("_")
        ]
        return pa.RecordBatch.from_arrays(
            [*own, *added, *rows.columns[len(own) :]], schema=self.schema
        )


def _is_late(rows: pa.RecordBatch) -> np.ndarray:
    late: np.ndarray = micros(rows.column(EVENT_TIME)) < micros(rows.column(WATERMARK))
    return late
