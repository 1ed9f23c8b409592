"""Window state of the Aggregate step as a pure object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import (
    EVENT_TIME,
    FOREVER,
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
from tocsin.kernels.time.sessions import session_ids
from tocsin.kernels.time.windows import Session, Sliding, Windows
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.aggregate.measures import Measures
from tocsin.steps.aggregate.pane_log import START, PaneLog, ranged
from tocsin.steps.aggregate.two_stacks import TwoStacks
from tocsin.steps.state.late_rows import re_timed

_START, _END, _ACCEPTED, _ON_TIME = START, "_end", "_accepted", "_on_time"
_VERSION = 2
# Rows that wait unmerged in any case. How many windows of a pane, and how many rows of a window, are merged one by one.
_UNMERGED = 4_000
_OVERLAPPING = 2
_ROWS_A_WINDOW = 2_000
# Most (row, window) pairs that are held at once.
_PAIRS = 2_000_000


class WindowOperator(Operator):
    """Folds rows into partial results, merges them, and gives the windows that are complete at a time.

    A window's revision 0 holds exactly the rows whose partition's watermark had not passed the window's end at their
    offset; revision 1, at end + allowed lateness, all that were not late. Neither depends on when this code runs.
    """

    def __init__(
        self,
        outputs: dict[str, pa.Schema],
        windows: Windows,
        measures: Measures,
        by: list[str],
        shards: int,
    ) -> None:
        rows = outputs["late"]
        partials = [
            *(pa.field(name, pa.int64()) for name in (_START, _END, _ACCEPTED, _ON_TIME)),
            *(rows.field(name).with_metadata(None) for name in by),
            *measures.partial_fields,
        ]
        super().__init__(pa.schema(partials), outputs, by=by, shards=shards)
        self.schema = outputs["output"]
        self.windows = windows
        self.measures = measures
        self.lateness = traits(rows).allowed_lateness

    def fold(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Partial results of the rows that are not late, and the late rows."""
        times, watermarks = micros(batch.column(EVENT_TIME)), micros(batch.column(WATERMARK))
        if isinstance(self.windows, Session):
            starts, ends = times, times + self.windows.gap
            accepted = on_time = np.zeros(len(times), np.int64)
            # A row that is not late is in no session that may have been given: sessions are complete when the watermark has
            # passed their end and the allowed lateness, and rows that join them come before their end.
            late = times + self.lateness < watermarks
        else:
            starts, accepted, on_time, last = self.windows.place(times, watermarks, self.lateness)
            ends = starts + self.windows.pane
            late = accepted > last
        late_rows = batch.slice(0, 0)
        if late.any():
            late_rows, kept = batch.filter(pa.array(late)), ~late
            batch = batch.filter(pa.array(kept))
            starts, ends, accepted, on_time = (
                starts[kept],
                ends[kept],
                accepted[kept],
                on_time[kept],
            )
            times = times[kept]
        by = [batch.column(name) for name in self.by]
        ids, first = self._groups(starts, ends, accepted, on_time, by)
        if isinstance(self.windows, Session):
            starts, ends = _bounds(ids, starts, ends, len(first))
            bounds = [starts, ends, accepted[first], on_time[first]]
        else:
            bounds = [values[first] for values in (starts, ends, accepted, on_time)]
        rows = pa.array(first)
        arrays = self.measures.fold(batch, times, ids, len(first))
        partial = pa.RecordBatch.from_arrays(
            [*(pa.array(b) for b in bounds), *(k.take(rows) for k in by), *arrays],
            schema=self.shard_schema,
        )
        return with_offsets(partial, offsets_of(batch)), late_rows

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Partial results by shard; late rows to `late`."""
        partial, late = self.fold(batch)
        outputs = {"late": re_timed(late)} if late.num_rows else {}
        counts = {"kept": batch.num_rows - late.num_rows, "late": late.num_rows}
        by_shard = self.split(partial)
        return Routed(
            [(shard, with_offsets(part, offsets_of(partial))) for shard, part in by_shard],
            outputs,
            counts,
        )

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Give the windows that are complete at `time`. The log is written anew only when half of it is spent or to merge."""
        known = _State.from_bytes(state[0]) if state else _State()
        log = [part for part in log if part.num_rows]
        if not log:
            return Advanced([], state, None)
        done = max(known.done, time)
        if isinstance(self.windows, Session):
            results, rest = self._fire_sessions(self.merge(log), time)
            kept = [rest] if rest.num_rows else []
            return Advanced(
                results, [_State(done).to_bytes()] if kept else [], self._due(kept, done), log=kept
            )
        memory = {} if memory is None else memory
        if not state or memory.get("state") is not state[0]:
            memory.clear()
        spans = memory["log"] = ranged(log, memory.get("log", []))
        results = self._fire(spans, known.done, time, memory)
        rows = sum(part.num_rows for part in log)
        unspent = [self._unspent(one, time) for one in spans]
        left = sum(int(kept.sum()) for kept in unspent)
        if left == rows or _UNMERGED < rows < min(2 * left, max(4 * known.rows, 2 * _UNMERGED)):
            written = memory["state"] = _State(done, known.rows).to_bytes()
            return Advanced(results, [written], self._next(spans, done), log=None)
        several = zip(log, unspent, strict=True)
        rest = [
            part if kept.all() else part.filter(pa.array(kept))
            for part, kept in several
            if kept.any()
        ]
        if left > max(2 * known.rows, _UNMERGED):
            rest = [self.merge(rest)]
            left = rest[0].num_rows
        kept_state = [_State(done, left).to_bytes()] if left or done < FOREVER else []
        memory["state"] = kept_state[0] if kept_state else None
        return Advanced(results, kept_state, self._due(rest, done), log=rest)

    def due(self, batch: pa.RecordBatch) -> int | None:
        """The first time at which a batch of partial results completes a window."""
        return self._due([batch], -FOREVER)

    def _together(self, partials: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Partial results side by side, with the offsets of all of them."""
        offsets = merge_offsets([offsets_of(partial) for partial in partials])
        return with_offsets(self._concatenated(partials), offsets)

    def _concatenated(self, partials: list[pa.RecordBatch]) -> pa.RecordBatch:
        plain = [partial.replace_schema_metadata(None) for partial in partials]
        same = self.shard_schema.equals
        return pa.concat_batches(
            [one if same(one.schema) else one.cast(self.shard_schema) for one in plain]
        )

    def merge(self, partials: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Partial results of the same panes and keys made one."""
        batch = self._together(partials)
        offsets = offsets_of(batch)
        starts, ends, accepted, on_time = (batch.column(i).to_numpy() for i in range(4))
        ids, first = self._groups(
            starts, ends, accepted, on_time, [batch.column(name) for name in self.by]
        )
        return with_offsets(self._combine(batch, ids, first), offsets)

    def _groups(
        self, starts: Int64s, ends: Int64s, accepted: Int64s, on_time: Int64s, by: list[Any]
    ) -> tuple[Int64s, Int64s]:
        """Which rows or partial results make one partial result: those of a session, or of a pane, its windows and a key."""
        if not isinstance(self.windows, Session):
            return group_ids([starts, accepted, on_time, *by])
        keys = group_ids(by)[0] if by else np.zeros(len(starts), np.int64)
        return group_ids([session_ids(keys, starts, ends)])

    def _combine(self, batch: pa.RecordBatch, ids: Int64s, first: Int64s) -> pa.RecordBatch:
        starts, ends = _bounds(
            ids, batch.column(_START).to_numpy(), batch.column(_END).to_numpy(), len(first)
        )
        rows = pa.array(first)
        flags = [batch.column(name).take(rows) for name in (_ACCEPTED, _ON_TIME)]
        by = [batch.column(name).take(rows) for name in self.by]
        arrays = self.measures.merge(batch, ids, len(first))
        return pa.RecordBatch.from_arrays(
            [pa.array(starts), pa.array(ends), *flags, *by, *arrays], schema=self.shard_schema
        )

    def _due(self, log: list[pa.RecordBatch], done: int) -> int | None:
        """The next time after `done` at which a window is complete, or None."""
        if not any(part.num_rows for part in log):
            return None
        if isinstance(self.windows, Session):
            ends = min(int(part.column(_END).to_numpy().min()) for part in log if part.num_rows)
            return max(ends + self.lateness, done + 1)
        return self._next(ranged([part for part in log if part.num_rows], []), done)

    def _next(self, log: list[PaneLog], done: int) -> int | None:
        """The same of a log that is known, for windows that are not sessions."""
        assert not isinstance(self.windows, Session)
        first, last = self.windows.bounds(min(one.low for one in log), max(one.high for one in log))
        moments = []
        for delay in {0, self.lateness}:
            # The first window whose end + delay is after `done`, of windows that hold a pane.
            start = max(self.windows.first_ending_after(done - delay), first)
            if start <= last:
                moments.append(self.windows.end_of(start) + delay)
        return min(moments, default=None)

    def _fire(
        self, log: list[PaneLog], done: int, time: int, memory: Memory
    ) -> list[tuple[str, pa.RecordBatch]]:
        """Results of the windows that became complete after `done` and by `time`."""
        assert not isinstance(self.windows, Session)
        parts = []
        for one in log:
            first, last = self.windows.bounds(one.low, one.high)
            if (
                self.windows.end_of(first) <= time
                and self.windows.end_of(last) + self.lateness > done
            ):
                parts.append(one.part)
        if not parts:
            return []
        block = self._together(parts)
        accepted, on_time = block.column(_ACCEPTED).to_numpy(), block.column(_ON_TIME).to_numpy()
        offsets = offsets_of(block)
        if self._is_dear(block, on_time, done, time):
            results = self._overlapping(block, done, time, memory, offsets)
        else:
            results = self._windows(block, on_time, done, time, 0, offsets)
        if self.lateness and (on_time > accepted).any():
            revised = self._keys_of(block, on_time > accepted)
            opens = revised.column(_ACCEPTED).to_numpy()
            results += self._windows(
                revised, opens, done - self.lateness, time - self.lateness, 1, offsets
            )
        return [("output", result) for result in results]

    def _is_dear(self, block: pa.RecordBatch, opens: Int64s, done: int, time: int) -> bool:
        """Whether so many rows are in each of the windows that are complete that they had better not be merged for each."""
        if not isinstance(self.windows, Sliding):
            return False
        size, every = self.windows.size, self.windows.every
        first = np.maximum(opens, done + 1 - size)
        last = np.minimum(self.windows.last_window(block.column(_START).to_numpy()), time - size)
        pairs = int(np.maximum((last - first) // every + 1, 0).sum())
        complete = max((int(last.max()) - int(first.min())) // every + 1, 1)
        return size > _OVERLAPPING * every and pairs > _ROWS_A_WINDOW * complete

    def _unspent(self, one: PaneLog, time: int) -> Any:
        """Which rows are in a window that may still be given."""
        assert not isinstance(self.windows, Session)
        lowest, highest = (
            int(self.windows.last_window(np.array([at]))[0]) for at in (one.low, one.high)
        )
        if self.windows.end_of(lowest) + self.lateness > time:
            return np.ones(one.part.num_rows, bool)
        if self.windows.end_of(highest) + self.lateness <= time:
            return np.zeros(one.part.num_rows, bool)
        last = self.windows.last_window(one.part.column(_START).to_numpy())
        return self.windows.ends_of(last) + self.lateness > time

    def _keys_of(self, block: pa.RecordBatch, rows: Any) -> pa.RecordBatch:
        """All rows of the keys of some rows."""
        if not self.by:
            return block
        ids, first = group_ids([block.column(name) for name in self.by])
        wanted = np.zeros(len(first), bool)
        wanted[ids[rows]] = True
        return (
            block
            if wanted.all()
            else with_offsets(block.filter(pa.array(wanted[ids])), offsets_of(block))
        )

    def _overlapping(
        self, block: pa.RecordBatch, done: int, time: int, memory: Memory, offsets: Offsets
    ) -> list[pa.RecordBatch]:
        """Revision 0 of windows that overlap: rows that are in all windows of their pane go by `TwoStacks`, the few others
        window by window.
        """
        assert isinstance(self.windows, Sliding)
        size, every, offset = self.windows.size, self.windows.every, self.windows.offset
        starts, on_time = block.column(_START).to_numpy(), block.column(_ON_TIME).to_numpy()
        in_all = on_time == self.windows.first_window(starts)
        regular, others = block.filter(pa.array(in_all)), block.filter(pa.array(~in_all))
        begins = regular.column(_START).to_numpy()
        order = np.argsort(begins, kind="stable")
        regular, begins = regular.take(pa.array(order)), begins[order]

        def panes(low: int, high: int) -> pa.RecordBatch:
            at, to = np.searchsorted(begins, (low, high))
            return regular.slice(at, to - at)

        overlap = memory.setdefault("overlap", TwoStacks(size, every, self._merged_keys))
        lowest = ((done - size - offset) // every + 1) * every + offset
        highest = (time - size - offset) // every * every + offset
        results = []
        for start in self.windows.starts_that_hold(np.unique(starts), lowest, highest):
            whole = overlap.window(start, panes)
            if others.num_rows:
                opens, last = (
                    others.column(_ON_TIME).to_numpy(),
                    self.windows.last_window(others.column(_START).to_numpy()),
                )
                added = others.filter(pa.array((opens <= start) & (last >= start)))
                whole = self._merged_keys(
                    [part for part in (whole, added) if part.num_rows] or [whole]
                )
            if whole.num_rows:
                begin = np.full(whole.num_rows, start, np.int64)
                results.append(self.finished(whole, begin, begin + size, 0, offsets))
        return results

    def _merged_keys(self, partials: list[pa.RecordBatch]) -> pa.RecordBatch:
        """One partial result a key, whatever its pane."""
        batch = self._concatenated(partials)
        if self.by:
            ids, first = group_ids([batch.column(name) for name in self.by])
        else:
            ids, first = (
                np.zeros(batch.num_rows, np.int64),
                np.zeros(min(batch.num_rows, 1), np.int64),
            )
        return self._combine(batch, ids, first) if len(first) < batch.num_rows else batch

    def _windows(
        self,
        block: pa.RecordBatch,
        opens: Int64s,
        after: int,
        until: int,
        revision: int,
        offsets: Offsets,
    ) -> list[pa.RecordBatch]:
        """Results of the windows that end after `after` and by `until`, of the rows whose first window is `opens`.

        Every row is repeated for each of its windows, some windows at a time, so that memory stays bounded.
        """
        assert not isinstance(self.windows, Session)
        every, starts = self.windows.every, block.column(_START).to_numpy()
        lowest = self.windows.first_ending_after(after)
        highest = self.windows.first_ending_after(until) - every
        first = np.maximum(opens, lowest)
        last = np.minimum(self.windows.last_window(starts), highest)
        results, begin = [], int(first.min(initial=FOREVER))
        final = int(last.max(initial=-FOREVER))
        counts = np.maximum((last - first) // every + 1, 0)
        whole = int((final - begin) // every) + 1
        stretch = min(max(whole * _PAIRS // max(int(counts.sum()), 1), 1), max(whole, 1)) * every
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
        assert not isinstance(self.windows, Session)
        by = [block.column(name).take(pa.array(rows)) for name in self.by]
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
        return [
            self.finished(
                whole,
                self.windows.starts_of(begins),
                self.windows.ends_of(begins),
                revision,
                offsets,
            )
        ]

    def _fire_sessions(
        self, block: pa.RecordBatch, time: int
    ) -> tuple[list[tuple[str, pa.RecordBatch]], pa.RecordBatch]:
        ends = block.column(_END).to_numpy()
        complete = ends + self.lateness <= time
        ready, rest = block.filter(pa.array(complete)), block.filter(pa.array(~complete))
        if not ready.num_rows:
            return [], block
        starts, ends = ready.column(_START).to_numpy(), ready.column(_END).to_numpy()
        result = self.finished(ready, starts, ends, 0, offsets_of(block))
        return [("output", result)], with_offsets(rest, offsets_of(block))

    def finished(
        self, partial: pa.RecordBatch, starts: Int64s, ends: Int64s, revision: int, offsets: Offsets
    ) -> pa.RecordBatch:
        """One row a key, in the order of the keys' columns, so that the same window is the same rows on every run."""
        results = self.measures.finish(partial, starts, ends)
        size = partial.num_rows
        columns = [
            timestamps(starts),
            timestamps(ends),
            *(partial.column(name) for name in self.by),
            *results,
            pa.repeat(pa.scalar(revision, pa.int32()), size),
            timestamps(ends - 1),
            *(pa.nulls(size, field.type) for field in SYSTEM_FIELDS[1:]),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        if size > 1:
            batch = batch.sort_by([(name, "ascending") for name in ("window_start", *self.by)])
        return with_offsets(batch, offsets)


def _bounds(ids: Int64s, starts: Int64s, ends: Int64s, groups: int) -> tuple[Int64s, Int64s]:
    first, last = np.full(groups, FOREVER, np.int64), np.full(groups, -FOREVER, np.int64)
    np.minimum.at(first, ids, starts)
    np.maximum.at(last, ids, ends)
    return first, last


@dataclass(frozen=True)
class _State:
    """done: time up to which windows were given out. rows: how many the log had when it was last written anew."""

    done: int = -FOREVER
    rows: int = 0

    def to_bytes(self) -> bytes:
        return json.dumps({"version": _VERSION, "done": self.done, "rows": self.rows}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> _State:
        """Raises ValueError for another version's."""
        known = json.loads(data)
        if known["version"] != _VERSION:
            raise ValueError(
                f"window state of version {known['version']}, this program reads version {_VERSION}"
            )
        return cls(known["done"], known["rows"])
