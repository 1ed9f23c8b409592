"""Registry rows of the keys of a shard, and the readings that wait for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.aggregation.grouping import group_ids, shards
from tocsin.kernels.batch import (
    EVENT_TIME,
    FOREVER,
    SYSTEM_FIELDS,
    WATERMARK,
    Int64s,
    micros,
    traits,
)
from tocsin.kernels.time.as_of import VersionedRows
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.state.late_rows import re_timed
from tocsin.steps.state.needed_rows import NeededRows
from tocsin.steps.state.release_times import available_at, release_after
from tocsin.steps.state.union import SIDE, rows_of_side, side_column

READINGS, REGISTRY = "readings", "registry"
"""Names of the inputs."""


class LookupOperator(Operator):
    """Emits a reading when all registry rows up to its event time have arrived."""

    def __init__(
        self,
        schema: pa.Schema,
        outputs: dict[str, pa.Schema],
        *,
        by: list[str],
        add: list[str],
        shards: int,
    ) -> None:
        super().__init__(schema, outputs, by=by, shards=shards)
        self.add = add
        self.schema = outputs["output"]
        self.late_schema = outputs["late"]
        self.lateness = traits(schema).allowed_lateness

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Rows of both inputs by the shard of their key; late readings go to `late`."""
        if not batch.num_rows:
            return Routed([], {}, {"kept": 0})
        times, watermarks = micros(batch.column(EVENT_TIME)), micros(batch.column(WATERMARK))
        late = (batch.column(SIDE).to_numpy(zero_copy_only=False) == READINGS) & (
            times + self.lateness < watermarks
        )
        outputs = {}
        if late.any():
            gone = rows_of_side(batch.filter(pa.array(late)), READINGS)
            outputs["late"] = re_timed(
                pa.RecordBatch.from_arrays(gone.columns, schema=self.late_schema)
            )
            batch = batch.filter(pa.array(~late))
        owner = shards(self._keys(batch), self.shards)
        parts = [(int(s), batch.filter(pa.array(owner == s))) for s in np.unique(owner)]
        return Routed(parts, outputs, {"kept": batch.num_rows, "late": int(late.sum())})

    def _keys(self, batch: pa.RecordBatch) -> list[Any]:
        is_reading = pc.equal(batch.column(SIDE), READINGS)
        columns = [
            [batch.column(side_column(side, name)) for side in (READINGS, REGISTRY)]
            for name in self.by
        ]
        return [pc.if_else(is_reading, *pair) for pair in columns]

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows may be emitted."""
        return release_after(int(available_at(batch).min())) if batch.num_rows else None

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Emit the readings before `time`, with the registry rows valid at their event time."""
        released = int(state[0]) if state else -FOREVER
        memory = {} if memory is None else memory
        known = NeededRows.of(log, state, memory, self.shard_schema)
        rows = known.rows
        moments = available_at(rows)
        is_reading = pc.equal(rows.column(SIDE), READINGS).to_numpy(zero_copy_only=False)
        new = is_reading & (moments >= released) & (moments < time)
        outputs: list[tuple[str, pa.RecordBatch]] = []
        if new.any():
            outputs = [
                ("output", self._enriched(rows, new, ~is_reading & (moments < time), moments))
            ]
        if time >= FOREVER:
            return Advanced(outputs, [], None)
        waiting = moments >= time
        kept = waiting | self._needed(rows, np.flatnonzero(~is_reading & ~waiting), moments, time)
        due = release_after(int(moments[waiting].min())) if waiting.any() else None
        written = [str(max(released, time)).encode()]
        return Advanced(outputs, written, due, log=known.keep(kept, written, memory))

    def _enriched(
        self, rows: pa.RecordBatch, new: Any, registry: Any, moments: Int64s
    ) -> pa.RecordBatch:
        """Readings with their added columns, in order of (event time, key)."""
        known = self._newest(rows, np.flatnonzero(registry), moments)
        readings = rows.filter(pa.array(new))
        entries = rows.take(pa.array(known))
        dated = VersionedRows(self._keys(entries), moments[known], np.full(len(known), FOREVER))
        row = dated.rows_at(self._keys(readings), micros(readings.column(EVENT_TIME)))
        added = {name: entries.column(side_column(REGISTRY, name)).take(row) for name in self.add}
        system = {field.name for field in SYSTEM_FIELDS}
        columns = [
            added[name]
            if name in added
            else readings.column(name if name in system else side_column(READINGS, name))
            for name in self.schema.names
        ]  # fmt: skip
        batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        order = [(EVENT_TIME, "ascending"), *((name, "ascending") for name in self.by)]
        return batch.sort_by(order).replace_schema_metadata(self.schema.metadata)

    def _newest(self, rows: pa.RecordBatch, which: Int64s, moments: Int64s) -> Int64s:
        """Registry rows in order of time: for each key and time the greatest row, in any order."""
        part = rows.take(pa.array(which))
        added = [part.column(side_column(REGISTRY, name)) for name in self.add]
        ranks = [_ranks(column) for column in added] if len(which) else []
        order = np.lexsort((*reversed(ranks), moments[which]))[::-1]
        _, first = group_ids(
            [*(key.take(pa.array(order)) for key in self._keys(part)), moments[which][order]]
        )
        return np.sort(which[order[first]])

    def _needed(
        self, rows: pa.RecordBatch, which: Int64s, moments: Int64s, time: int
    ) -> np.ndarray:
        """Registry rows that a reading may need: valid now or within the allowed lateness."""
        needed = np.zeros(rows.num_rows, bool)
        if len(which):
            ids, _ = group_ids(self._keys(rows.take(pa.array(which))))
            order = np.lexsort((moments[which], ids))
            ids, at = ids[order], moments[which][order]
            following = np.r_[np.where(ids[1:] == ids[:-1], at[1:], FOREVER), FOREVER][: len(at)]
            needed[which[order]] = following > time - self.lateness
        return needed


def _ranks(column: pa.Array) -> Int64s:
    """The rank of each value, equal for equal values; null is the smallest."""
    ranks = pc.rank(column, tiebreaker="dense").to_numpy().astype(np.int64)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    found: Int64s = np.where(valid, ranks, 0)
    return found
