"""Window state of the Aggregate step as a pure object."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.columns.blocks import from_ipc, to_ipc
from tocsin.columns.contract import (
    EVENT_TIME,
    SYSTEM_FIELDS,
    WATERMARK,
    Int64s,
    Offsets,
    merge_offsets,
    micros,
    offsets_of,
    timestamps,
    traits,
    with_offsets,
)
from tocsin.columns.groups import group_ids
from tocsin.columns.sessions import session_ids
from tocsin.columns.windows import Session, Sliding
from tocsin.parts.aggregate import Aggregate
from tocsin.parts.keyed import FOREVER, Advanced, Routed, split_by_key
from tocsin.parts.late import re_timed

_START, _END, _ACCEPTED, _ON_TIME = "_start", "_end", "_accepted", "_on_time"
# How many groups the rows were when they were last merged; and how many rows wait unmerged in any case.
_GROUPS, _UNMERGED = b"tocsin.groups", 20_000
# Most (row, window) pairs that are held at once.
_PAIRS = 2_000_000


class Windower:
    """Folds rows into partial results, merges them, and gives the windows that are complete at a time.

    A window's revision 0 holds exactly the rows whose partition's watermark had not passed the window's end at their
    offset; revision 1, at end + allowed lateness, all that were not late. Neither depends on when this code runs.
    """

    eager = False

    def __init__(self, step: Aggregate, schema: pa.Schema) -> None:
        self.step = step
        self.shards = step.shards
        self.schema = step.output_schema(schema)
        self.outputs = {"output": self.schema, "late": schema}
        self.windows = step.windows()
        self.measures = step.compiled(schema)
        self.lateness = traits(schema).allowed_lateness
        self.shard_schema = pa.schema(
            [
                *(pa.field(name, pa.int64()) for name in (_START, _END, _ACCEPTED, _ON_TIME)),
                *(schema.field(name).with_metadata(None) for name in step.by),
                *self.measures.partial_fields,
            ]
        )

    def fold(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Partial results of the rows that are not late, and the late rows."""
        times, watermarks = micros(batch.column(EVENT_TIME)), micros(batch.column(WATERMARK))
        if isinstance(self.windows, Session):
            starts, ends = times, times + self.windows.gap
            accepted = on_time = np.zeros(len(times), np.int64)
            late = ends + self.lateness <= watermarks
        else:
            starts = self.windows.panes(times)
            ends = starts + self.windows.pane
            accepted = self.windows.first_open(starts, watermarks, self.lateness)
            on_time = self.windows.first_open(starts, watermarks, 0) if self.lateness else accepted
            late = accepted > self.windows.last_window(starts)
        late_rows = batch.slice(0, 0)
        if late.any():
            late_rows, kept = batch.filter(pa.array(late)), ~late
            batch = batch.filter(pa.array(kept))
            starts, ends, accepted, on_time = starts[kept], ends[kept], accepted[kept], on_time[kept]
            times = times[kept]
        by = [batch.column(name) for name in self.step.by]
        ids, first = self._groups(starts, ends, accepted, on_time, by)
        if isinstance(self.windows, Session):
            starts, ends = _bounds(ids, starts, ends, len(first))
            bounds = [starts, ends, accepted[first], on_time[first]]
        else:
            bounds = [values[first] for values in (starts, ends, accepted, on_time)]
        rows = pa.array(first)
        arrays = self.measures.fold(batch, times, ids, len(first))
        partial = pa.RecordBatch.from_arrays(
            [*(pa.array(b) for b in bounds), *(k.take(rows) for k in by), *arrays], schema=self.shard_schema
        )
        return with_offsets(partial, offsets_of(batch)), late_rows

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Partial results by shard; late rows to `late`."""
        partial, late = self.fold(batch)
        outputs = {"late": re_timed(late)} if late.num_rows else {}
        counts = {"kept": batch.num_rows - late.num_rows, "late": late.num_rows}
        by_shard = split_by_key(partial, self.step.by, self.shards)
        return Routed([(shard, with_offsets(part, offsets_of(partial))) for shard, part in by_shard], outputs, counts)

    def advance(self, state: bytes | None, arrived: list[pa.RecordBatch], time: int, end: int | None) -> Advanced:
        """Merge what arrived, give the windows that are complete at `time`."""
        block, done = window_state_from_bytes(state) if state is not None else (None, -FOREVER)
        parts = ([block] if block is not None and block.num_rows else []) + arrived
        if not parts:
            return Advanced([], state, None)
        whole = self._together(parts)
        if isinstance(self.windows, Session):
            whole = self.merge([whole])
        results, rest = self.fire(whole, done, time)
        done = max(done, time)
        # Rows are merged when their windows are complete; before that only where there are many more of them than groups.
        kept_groups = _merged(rest)
        if rest.num_rows > max(4 * kept_groups, _UNMERGED):
            rest = self.merge([rest])
        kept = window_state_to_bytes(rest, done) if rest.num_rows or done < FOREVER else None
        return Advanced([("output", result) for result in results], kept, self._due(rest, done))

    def due(self, batch: pa.RecordBatch) -> int | None:
        """The first time at which a batch of partial results completes a window."""
        return self._due(batch, -FOREVER)

    def _together(self, partials: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Partial results side by side, with the offsets of all of them."""
        offsets = merge_offsets([offsets_of(partial) for partial in partials])
        metadata = (partials[0].schema.metadata or {}).get(_GROUPS)
        batch = pa.concat_batches([p.replace_schema_metadata(None).cast(self.shard_schema) for p in partials])
        return _with_merged(with_offsets(batch, offsets), int(metadata or 0))

    def merge(self, partials: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Partial results of the same panes and keys made one."""
        batch = self._together(partials)
        offsets = offsets_of(batch)
        starts, ends, accepted, on_time = (batch.column(i).to_numpy() for i in range(4))
        ids, first = self._groups(starts, ends, accepted, on_time, [batch.column(name) for name in self.step.by])
        return _with_merged(with_offsets(self._combine(batch, ids, first), offsets), len(first))

    def _groups(self, starts: Int64s, ends: Int64s, accepted: Int64s, on_time: Int64s, by: list[Any]) -> tuple[Int64s, Int64s]:
        """Which rows or partial results make one partial result: those of a session, or of a pane, its windows and a key."""
        if not isinstance(self.windows, Session):
            return group_ids([starts, accepted, on_time, *by])
        keys = group_ids(by)[0] if by else np.zeros(len(starts), np.int64)
        return group_ids([session_ids(keys, starts, ends)])

    def _combine(self, batch: pa.RecordBatch, ids: Int64s, first: Int64s) -> pa.RecordBatch:
        starts, ends = _bounds(ids, batch.column(_START).to_numpy(), batch.column(_END).to_numpy(), len(first))
        rows = pa.array(first)
        flags = [batch.column(name).take(rows) for name in (_ACCEPTED, _ON_TIME)]
        by = [batch.column(name).take(rows) for name in self.step.by]
        arrays = self.measures.merge(batch, ids, len(first))
        return pa.RecordBatch.from_arrays([pa.array(starts), pa.array(ends), *flags, *by, *arrays], schema=self.shard_schema)

    def _due(self, block: pa.RecordBatch, done: int) -> int | None:
        """The next time after `done` at which `fire` has something to do, or None."""
        if not block.num_rows:
            return None
        starts, ends = block.column(_START).to_numpy(), block.column(_END).to_numpy()
        if isinstance(self.windows, Session):
            return int(max((ends + self.lateness).min(), done + 1))
        size, every, offset = self.windows.size, self.windows.every, self.windows.offset
        first = int(self.windows.first_window(starts).min())
        last = int(self.windows.last_window(starts).max())
        moments = []
        for delay in {0, self.lateness}:
            # The first window whose end + delay is after `done`, of windows that hold a pane.
            following = ((done - delay - size - offset) // every + 1) * every + offset
            start = max(following, first)
            if start <= last:
                moments.append(start + size + delay)
        return min(moments, default=None)

    def fire(self, block: pa.RecordBatch, done: int, time: int) -> tuple[list[pa.RecordBatch], pa.RecordBatch]:
        """Results of the windows that became complete after `done` and by `time`, and the block without what is spent."""
        if isinstance(self.windows, Session):
            return self._fire_sessions(block, time)
        starts = block.column(_START).to_numpy()
        accepted, on_time = block.column(_ACCEPTED).to_numpy(), block.column(_ON_TIME).to_numpy()
        offsets = offsets_of(block)
        results = self._windows(block, on_time, done, time, 0, offsets)
        if self.lateness and (on_time > accepted).any():
            results += self._windows(block, accepted, done - self.lateness, time - self.lateness, 1, offsets)
        kept = self.windows.last_window(starts) + self.windows.size + self.lateness > time
        remaining = block if kept.all() else block.filter(pa.array(kept))
        return results, with_offsets(remaining, offsets if remaining.num_rows else {})

    def _windows(
        self, block: pa.RecordBatch, opens: Int64s, after: int, until: int, revision: int, offsets: Offsets
    ) -> list[pa.RecordBatch]:
        """Results of the windows that end after `after` and by `until`, of the rows whose first window is `opens`.

        Every row is repeated for each of its windows, some windows at a time, so that memory stays bounded.
        """
        assert isinstance(self.windows, Sliding)
        size, every, offset = self.windows.size, self.windows.every, self.windows.offset
        starts = block.column(_START).to_numpy()
        lowest = ((after - size - offset) // every + 1) * every + offset
        highest = (until - size - offset) // every * every + offset
        first = np.maximum(opens, lowest)
        last = np.minimum(self.windows.last_window(starts), highest)
        results, begin = [], int(first.min(initial=FOREVER))
        final = int(last.max(initial=-FOREVER))
        counts = np.maximum((last - first) // every + 1, 0)
        stretch = max(int((final - begin) // every + 1) * _PAIRS // max(int(counts.sum()), 1), 1) * every
        while begin <= final:
            upto = begin + stretch - every
            here = np.maximum(first, begin)
            counts = np.maximum((np.minimum(last, upto) - here) // every + 1, 0)
            rows = np.repeat(np.arange(len(starts)), counts)
            if len(rows):
                steps = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
                results += self._results(block, rows, here[rows] + steps * every, revision, offsets)
            begin = upto + every
        return results

    def _results(
        self, block: pa.RecordBatch, rows: Int64s, starts: Int64s, revision: int, offsets: Offsets
    ) -> list[pa.RecordBatch]:
        """One row a window and key. A revision is given only for keys that have rows which revision 0 did not have."""
        assert isinstance(self.windows, Sliding)
        by = [block.column(name).take(pa.array(rows)) for name in self.step.by]
        ids, first = group_ids([starts, *by])
        if revision:
            changed = np.zeros(len(first), bool)
            changed[ids[block.column(_ON_TIME).to_numpy()[rows] > starts]] = True
            kept = changed[ids]
            if not kept.any():
                return []
            rows, starts = rows[kept], starts[kept]
            ids, first = group_ids([starts, *(column.filter(pa.array(kept)) for column in by)])
        batch = block.take(pa.array(rows))
        whole = self._combine(batch, ids, first) if len(first) < len(rows) else batch
        begins = starts[first]
        return [self._finished(whole, begins, begins + self.windows.size, revision, offsets)]

    def _fire_sessions(self, block: pa.RecordBatch, time: int) -> tuple[list[pa.RecordBatch], pa.RecordBatch]:
        ends = block.column(_END).to_numpy()
        complete = ends + self.lateness <= time
        ready, rest = block.filter(pa.array(complete)), block.filter(pa.array(~complete))
        if not ready.num_rows:
            return [], block
        starts, ends = ready.column(_START).to_numpy(), ready.column(_END).to_numpy()
        return [self._finished(ready, starts, ends, 0, offsets_of(block))], with_offsets(rest, offsets_of(block))

    def _finished(self, partial: pa.RecordBatch, starts: Int64s, ends: Int64s, revision: int, offsets: Offsets) -> pa.RecordBatch:
        """One row a key, in the order of the keys' columns, so that the same window is the same rows on every run."""
        results = self.measures.finish(partial, starts, ends)
        size = partial.num_rows
        columns = [
            timestamps(starts),
            timestamps(ends),
            *(partial.column(name) for name in self.step.by),
            *results,
            pa.repeat(pa.scalar(revision, pa.int32()), size),
            timestamps(ends - 1),
            *(pa.nulls(size, field.type) for field in SYSTEM_FIELDS[1:]),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        if size > 1:
            batch = batch.sort_by([(name, "ascending") for name in ("window_start", *self.step.by)])
        return with_offsets(batch, offsets)


def _merged(batch: pa.RecordBatch) -> int:
    return int((batch.schema.metadata or {}).get(_GROUPS, 0))


def _with_merged(batch: pa.RecordBatch, groups: int) -> pa.RecordBatch:
    return batch.replace_schema_metadata({**(batch.schema.metadata or {}), _GROUPS: str(groups).encode()})


def _bounds(ids: Int64s, starts: Int64s, ends: Int64s, groups: int) -> tuple[Int64s, Int64s]:
    first, last = np.full(groups, FOREVER, np.int64), np.full(groups, -FOREVER, np.int64)
    np.minimum.at(first, ids, starts)
    np.maximum.at(last, ids, ends)
    return first, last


def window_state_to_bytes(block: pa.RecordBatch, done: int) -> bytes:
    """State of a shard: its partial results and the time up to which windows were given out."""
    metadata = {**(block.schema.metadata or {}), b"tocsin.done": json.dumps({"version": 1, "done": done}).encode()}
    return to_ipc(block.replace_schema_metadata(metadata))


def window_state_from_bytes(data: bytes) -> tuple[pa.RecordBatch, int]:
    """What `window_state_to_bytes` wrote."""
    block = from_ipc(data)
    metadata = dict(block.schema.metadata)
    state = json.loads(metadata.pop(b"tocsin.done"))
    return block.replace_schema_metadata(metadata), int(state["done"])
