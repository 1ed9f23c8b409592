"""Aggregates of two inputs, joined when their window is complete, and when it is revised."""

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
    Int64s,
    micros,
    no_rows,
    timestamps,
    traits,
    user_columns,
)
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.state.needed_rows import NeededRows
from tocsin.steps.state.release_times import release_after, result_available_at
from tocsin.steps.state.union import SIDE, rows_of_side, schema_of_side, side_column

SIDES = ("left", "right")
"""Names of the inputs."""
BOUNDS = ("window_start", "window_end", "revision")
"""Columns of every window result that are neither keys nor measures."""


def keys_of_side(schema: pa.Schema, side: str) -> list[str]:
    """The keys of one input. schema: of both together."""
    prefix = side_column(side, "")
    return [key.removeprefix(prefix) for key in traits(schema).keys if key.startswith(prefix)]


class JoinOperator(Operator):
    """Keeps rows until their window can no longer be revised, and joins those of one key."""

    def __init__(
        self,
        schema: pa.Schema,
        outputs: dict[str, pa.Schema],
        *,
        by: list[str],
        how: str,
        shards: int,
    ) -> None:
        super().__init__(schema, outputs, by=by, shards=shards)
        self.schema = outputs["output"]
        self.how = how
        self.lateness = traits(schema).allowed_lateness
        # Keys that distinguish rows of the left that match the same row of the right.
        self.own_keys = [key for key in keys_of_side(schema, SIDES[0]) if key not in by]
        self.mine, self.theirs = (
            [
                name
                for name in user_columns(schema_of_side(schema, side))
                if name not in BOUNDS and name not in by
            ]
            for side in SIDES
        )

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Rows of both inputs by the shard of their key."""
        if not batch.num_rows:
            return Routed([], {}, {"kept": 0})
        owner = shards([self._either(batch, name) for name in self.by], self.shards)
        parts = [(int(s), batch.filter(pa.array(owner == s))) for s in np.unique(owner)]
        return Routed(parts, {}, {"kept": batch.num_rows})

    def _either(self, batch: pa.RecordBatch, name: str) -> Any:
        left, right = (batch.column(side_column(side, name)) for side in SIDES)
        return pc.if_else(pc.equal(batch.column(SIDE), SIDES[0]), left, right)

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows is complete."""
        return release_after(int(self._available(batch).min())) if batch.num_rows else None

    def _available(self, rows: pa.RecordBatch) -> Int64s:
        """When each row is available, in event time."""
        return result_available_at(
            micros(rows.column(EVENT_TIME)), self._either(rows, "revision"), self.lateness
        )

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Join the rows that are available before `time`."""
        released = int(state[0]) if state else -FOREVER
        memory = {} if memory is None else memory
        known = NeededRows.of(log, state, memory, self.shard_schema)
        rows = known.rows
        available, times = self._available(rows), micros(rows.column(EVENT_TIME))
        revised = self._either(rows, "revision").to_numpy(zero_copy_only=False) > 0
        new = (available >= released) & (available < time)
        outputs: list[tuple[str, pa.RecordBatch]] = []
        on_time = self._joined(rows.filter(pa.array(new & ~revised)), 0)
        # A revision is joined with the other side's highest revision, which has arrived by now.
        windows = np.unique(times[new & revised])
        again = self._joined(
            self._of_revised(rows.filter(pa.array(np.isin(times, windows) & (available < time)))), 1
        )
        outputs += [("output", batch) for batch in (on_time, again) if batch.num_rows]
        if time >= FOREVER:
            return Advanced(outputs, [], None)
        released = max(released, time)
        needed, waiting = times + self.lateness >= released, available >= released
        due = release_after(int(available[waiting].min())) if waiting.any() else None
        written = [str(released).encode()]
        return Advanced(outputs, written, due, log=known.keep(needed, written, memory))

    def _of_revised(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The highest revision of each window, side and key, if a side of the key was revised."""
        if not rows.num_rows:
            return rows
        revision = self._either(rows, "revision").to_numpy(zero_copy_only=False)
        order = np.argsort(-revision, kind="stable")
        rows, revision = rows.take(pa.array(order)), revision[order]
        every = [self._either(rows, name) for name in (*self.by, "window_start")]
        whole, _ = group_ids(every)
        changed = np.isin(whole, whole[revision > 0])
        own = [rows.column(side_column(SIDES[0], name)) for name in self.own_keys]
        _, first = group_ids([rows.column(SIDE), *every, *own])
        newest = np.zeros(rows.num_rows, bool)
        newest[first] = True
        return rows.filter(pa.array(newest & changed))

    def _joined(self, rows: pa.RecordBatch, revision: int) -> pa.RecordBatch:
        """Joined rows, in the order of (window, keys)."""
        if not rows.num_rows:
            return no_rows(self.schema)
        left, right = (rows_of_side(rows, side) for side in SIDES)
        keys = ["window_start", *self.by]
        ids, _ = group_ids(
            [pa.concat_arrays([left.column(name), right.column(name)]) for name in keys]
        )
        mine, theirs = ids[: left.num_rows], ids[left.num_rows :]
        place = np.full(len(ids) + 1, -1, np.int64)
        place[theirs] = np.arange(right.num_rows)
        at = np.arange(left.num_rows)
        to = place[mine]
        if self.how == "inner":
            at, to = at[to >= 0], to[to >= 0]
        if self.how == "outer":
            alone = np.flatnonzero(~np.isin(theirs, mine))
            at, to = np.r_[at, np.full(len(alone), -1)], np.r_[to, alone]
        here, there = pa.array(at, mask=at < 0), pa.array(to, mask=to < 0)
        shared = {
            name: pc.coalesce(left.column(name).take(here), right.column(name).take(there))
            for name in [*keys, "window_end"]
        }
        ends = micros(shared["window_end"])
        columns = {
            **shared,
            **{name: left.column(name).take(here) for name in self.mine},
            **{name: right.column(name).take(there) for name in self.theirs},
            "revision": pa.repeat(pa.scalar(revision, pa.int32()), len(at)),
            EVENT_TIME: timestamps(ends - 1),
            **{field.name: pa.nulls(len(at), field.type) for field in SYSTEM_FIELDS[1:]},
        }
        batch = pa.RecordBatch.from_arrays(
            [columns[name] for name in self.schema.names], schema=self.schema
        )
        return batch.sort_by(
            [(name, "ascending") for name in (*keys, *self.own_keys)]
        ).replace_schema_metadata(self.schema.metadata)
