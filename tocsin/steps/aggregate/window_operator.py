"""Window state of the Aggregate step: partial results of each shard, until their windows end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import (
    EVENT_TIME,
    FOREVER,
    WATERMARK,
    Int64s,
    micros,
    offsets_of,
    traits,
    with_offsets,
)
from tocsin.kernels.time.windows import Session, Windows
from tocsin.parts.operator import Advanced, Memory, Operator, Routed
from tocsin.steps.aggregate.measures import Measures
from tocsin.steps.aggregate.missed_windows import KEPT, MISSED, overlap, rows_that_missed
from tocsin.steps.aggregate.open_sessions import groups_of_sessions, sessions_at
from tocsin.steps.aggregate.pane_log import PaneLog, panes_of
from tocsin.steps.aggregate.partials import ACCEPTED, END, ON_TIME, START, Partials, bounds_of
from tocsin.steps.aggregate.window_results import WindowResults
from tocsin.steps.state.late_rows import re_timed

# Rows that wait unmerged in any case; of sessions, more than twice as many as when last merged.
_UNMERGED, _OPEN = 4_000, 64


class WindowOperator(Operator):
    """Folds rows into partial results, merges them, and emits the windows that are complete.

    A window's revision 0 holds exactly the rows whose partition's watermark had not passed the
    window's end at their offset. Revision 1, at end + allowed lateness, holds all rows that were
    not late. Neither depends on when this code runs.
    """

    version = 2
    state_name = "window state"

    def __init__(
        self,
        outputs: dict[str, pa.Schema],
        windows: Windows,
        measures: Measures,
        by: list[str],
        shards: int,
    ) -> None:
        rows, self.schema = outputs["late"], outputs["output"]
        self.partials = Partials(rows, self.schema, by, measures)
        super().__init__(self.partials.schema, outputs, by=by, shards=shards)
        self.windows = windows
        self.overlapping = windows if overlap(windows) else None
        self.lateness = traits(rows).allowed_lateness

    def fold(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Partial results of the rows that are not late, and the rows of the output `late`.

        Where windows overlap, a row that misses only some of them is in both.
        """
        times, watermarks = micros(batch.column(EVENT_TIME)), micros(batch.column(WATERMARK))
        if isinstance(self.windows, Session):
            starts, ends = times, times + self.windows.gap
            accepted = on_time = np.zeros(len(times), np.int64)
            # A session is emitted when the watermark has passed its end and the allowed lateness.
            # Rows that join it come before its end, so none that is not late comes too late.
            late = times + self.lateness < watermarks
        else:
            starts, accepted, on_time, last = self.windows.place(times, watermarks, self.lateness)
            ends = starts + self.windows.pane
            late = accepted > last
        late_rows = batch.filter(pa.array(late)) if late.any() else batch.slice(0, 0)
        if self.overlapping is not None:
            # A window that holds a row ends after it, so only these rows can have missed one.
            rows = np.flatnonzero(times + self.lateness < watermarks)
            placed = [rows, starts[rows], accepted[rows], last[rows]]
            late_rows = rows_that_missed(batch, self.outputs["late"], self.overlapping, placed)
        bounds = [starts, ends, accepted, on_time]
        if late.any():
            kept = ~late
            batch, times = batch.filter(pa.array(kept)), times[kept]
            bounds = [one[kept] for one in bounds]
        ids, first = self._groups(bounds, [batch.column(name) for name in self.by])
        if isinstance(self.windows, Session):
            starts, ends, accepted, on_time = bounds
            found = [*bounds_of(ids, starts, ends, len(first)), accepted[first], on_time[first]]
        else:
            found = [one[first] for one in bounds]
        partial = self.partials.folded(batch, times, ids, first, found)
        return with_offsets(partial, offsets_of(batch)), late_rows

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Partial results by shard; rows that missed windows to `late`."""
        partial, late = self.fold(batch)
        outputs = {"late": re_timed(late)} if late.num_rows else {}
        counts = self._fates(batch, late)
        offsets = offsets_of(partial)
        by_shard = [(shard, with_offsets(part, offsets)) for shard, part in self.split(partial)]
        return Routed(by_shard, outputs, counts)

    def _fates(self, batch: pa.RecordBatch, late: pa.RecordBatch) -> dict[str, int]:
        """Rows by fate. late: the rows of the output `late`."""
        if self.overlapping is None:
            return {"kept": batch.num_rows - late.num_rows, "late": late.num_rows}
        some = int(np.count_nonzero(late.column(KEPT).to_numpy()))
        missed = int(late.column(MISSED).to_numpy().sum())
        all_missed = late.num_rows - some
        return {
            "kept": batch.num_rows - all_missed,
            "late": all_missed,
            "late_for_some": some,
            "missed_windows": missed,
        }

    def due(self, batch: pa.RecordBatch) -> int | None:
        """The first time at which a batch of partial results completes a window."""
        return self._due([batch], -FOREVER)

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        """Emit the windows that are complete at `time`.

        The log is rewritten only when half of it is no longer needed, or when it is worth merging.
        """
        # done: time up to which windows were emitted. merged: rows of the log when last rewritten.
        known = self.read_note(state[0]) if state else {"done": -FOREVER, "rows": 0}
        log = [part for part in log if part.num_rows]
        if not log:
            return Advanced([], state, None)
        done, merged = max(known["done"], time), known["rows"]
        if isinstance(self.windows, Session):
            return self._advance_sessions(log, time, done, merged)
        memory = {} if memory is None else memory
        if not state or memory.get("state") is not state[0]:
            memory.clear()
        spans = memory["log"] = panes_of(log, memory.get("log", []), self.windows)
        results = WindowResults(self.partials, self.windows, self.lateness)
        outputs = [
            ("output", batch) for batch in results.between(spans, known["done"], time, memory)
        ]
        rows = sum(part.num_rows for part in log)
        left = sum(one.left(time - self.lateness) for one in spans)
        if left == rows or _UNMERGED < rows < min(2 * left, max(4 * merged, 2 * _UNMERGED)):
            memory["state"] = self.note(done=done, rows=merged)
            return Advanced(outputs, [memory["state"]], self._next(spans, done), log=None)
        rest = self._rewritten(spans, time - self.lateness, merged)
        left = sum(part.num_rows for part in rest)
        note = [self.note(done=done, rows=left)] if left or done < FOREVER else []
        memory["state"] = note[0] if note else None
        return Advanced(outputs, note, self._due(rest, done), log=rest)

    def _rewritten(self, log: list[PaneLog], time: int, merged: int) -> list[pa.RecordBatch]:
        """The log without the rows that are spent at a time, merged if it has grown enough."""
        rest = [
            one.part
            if one.left(time) == one.part.num_rows
            else one.part.filter(pa.array(one.is_left(time)))
            for one in log
            if one.left(time)
        ]
        left = sum(part.num_rows for part in rest)
        return [self.merge(rest)] if left > max(2 * merged, _UNMERGED) else rest

    def merge(self, parts: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Partial results of the same panes and keys in one."""
        batch = self.partials.together(parts)
        bounds = [batch.column(name).to_numpy() for name in (START, END, ACCEPTED, ON_TIME)]
        ids, first = self._groups(bounds, [batch.column(name) for name in self.by])
        return with_offsets(self.partials.merged(batch, ids, first), offsets_of(batch))

    def _groups(self, bounds: list[Int64s], by: list[Any]) -> tuple[Int64s, Int64s]:
        """Which rows or partial results make one: those of a session, or of a pane and its windows.

        bounds: START, END, ACCEPTED and ON_TIME. by: the key columns.
        """
        starts, ends, accepted, on_time = bounds
        if not isinstance(self.windows, Session):
            return group_ids([starts, accepted, on_time, *by])
        return group_ids([groups_of_sessions(by, starts, ends)])

    def _due(self, log: list[pa.RecordBatch], done: int) -> int | None:
        """The next time after `done` at which a window is complete, or None."""
        log = [part for part in log if part.num_rows]
        if not log:
            return None
        if isinstance(self.windows, Session):
            ends = min(int(part.column(END).to_numpy().min()) for part in log)
            return max(ends + self.lateness, done + 1)
        return self._next(panes_of(log, [], self.windows), done)

    def _next(self, log: list[PaneLog], done: int) -> int | None:
        """The same for windows that are not sessions."""
        assert not isinstance(self.windows, Session)
        first_end, last_end = (min(one.first_end for one in log), max(one.last_end for one in log))
        moments = []
        for delay in {0, self.lateness}:
            # The first window whose end + delay is after `done`, of windows that hold a pane.
            start = self.windows.first_ending_after(max(done - delay, first_end - 1))
            moment = self.windows.end_of(start)
            if moment <= last_end:
                moments.append(moment + delay)
        return min(moments, default=None)

    def _advance_sessions(
        self, log: list[pa.RecordBatch], time: int, done: int, merged: int
    ) -> Advanced:
        """Emit the sessions that are complete at `time`.

        The others are merged when there are twice as many partial results as after the last time.
        """
        found = sessions_at(log, self.by, time - self.lateness)
        outputs, left = [], found.left
        if found.ready:
            block = self.merge(found.ready)
            bounds = block.column(START).to_numpy(), block.column(END).to_numpy()
            result = self.partials.finished(block, *bounds, 0, offsets_of(block))
            outputs = [("output", result)]
        if found.first_end is None:
            return Advanced(outputs, [], None)
        is_merged = sum(part.num_rows for part in left) > 2 * merged + _OPEN
        if is_merged:
            left = [self.merge(left)]
            merged = left[0].num_rows
        due = max(found.first_end + self.lateness, done + 1)
        kept = left if is_merged or found.ready else None
        return Advanced(outputs, [self.note(done=done, rows=merged)], due, log=kept)
