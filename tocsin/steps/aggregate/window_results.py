"""Results of the tumbling, sliding and calendar windows that are complete at a time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import FOREVER, Int64s, Offsets, offsets_of, with_offsets
from tocsin.kernels.time.calendar import Calendar
from tocsin.kernels.time.windows import Sliding
from tocsin.parts.operator import Memory
from tocsin.steps.aggregate.pane_log import PaneLog
from tocsin.steps.aggregate.partials import ACCEPTED, ON_TIME, START, Partials
from tocsin.steps.aggregate.two_stacks import TwoStacks

# How many windows of a pane, and how many rows of a window, are merged one by one.
_OVERLAPPING = 2
_ROWS_A_WINDOW = 2_000
# Most (row, window) pairs that are held at once.
_PAIRS = 2_000_000


class WindowResults:
    """Merges the partial results of each complete window. lateness: microseconds."""

    def __init__(self, partials: Partials, windows: Sliding | Calendar, lateness: int) -> None:
        self.partials, self.windows, self.lateness = partials, windows, lateness

    def between(
        self, log: list[PaneLog], done: int, time: int, memory: Memory
    ) -> list[pa.RecordBatch]:
        """Results of the windows that became complete after `done` and by `time`."""
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
        block = self.partials.together(parts)
        accepted, on_time = block.column(ACCEPTED).to_numpy(), block.column(ON_TIME).to_numpy()
        offsets = offsets_of(block)
        if isinstance(self.windows, Sliding) and self._is_costly(
            self.windows, block, on_time, done, time
        ):
            results = self._overlapping(self.windows, block, done, time, memory, offsets)
        else:
            results = self._each(block, on_time, done, time, 0, offsets)
        if self.lateness and (on_time > accepted).any():
            revised = self._keys_of(block, on_time > accepted)
            opens = revised.column(ACCEPTED).to_numpy()
            results += self._each(
                revised, opens, done - self.lateness, time - self.lateness, 1, offsets
            )
        return results

    @staticmethod
    def _is_costly(
        windows: Sliding, block: pa.RecordBatch, opens: Int64s, done: int, time: int
    ) -> bool:
        """Whether complete windows share too many rows to merge them for each window."""
        size, every = windows.size, windows.every
        first = np.maximum(opens, done + 1 - size)
        last = np.minimum(windows.last_window(block.column(START).to_numpy()), time - size)
        pairs = int(np.maximum((last - first) // every + 1, 0).sum())
        complete = max((int(last.max()) - int(first.min())) // every + 1, 1)
        return size > _OVERLAPPING * every and pairs > _ROWS_A_WINDOW * complete

    def _keys_of(self, block: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
        """All rows of the keys of some rows."""
        if not self.partials.by:
            return block
        ids, first = group_ids([block.column(name) for name in self.partials.by])
        wanted = np.zeros(len(first), bool)
        wanted[ids[rows]] = True
        if wanted.all():
            return block
        return with_offsets(block.filter(pa.array(wanted[ids])), offsets_of(block))

    def _overlapping(
        self,
        windows: Sliding,
        block: pa.RecordBatch,
        done: int,
        time: int,
        memory: Memory,
        offsets: Offsets,
    ) -> list[pa.RecordBatch]:
        """Revision 0 of windows that overlap.

        Rows that are in all windows of their pane go through `TwoStacks`; the few others are merged
        window by window.
        """
        size, every, offset = windows.size, windows.every, windows.offset
        starts, on_time = block.column(START).to_numpy(), block.column(ON_TIME).to_numpy()
        in_all = on_time == windows.first_window(starts)
        regular, others = block.filter(pa.array(in_all)), block.filter(pa.array(~in_all))
        begins = regular.column(START).to_numpy()
        order = np.argsort(begins, kind="stable")
        regular, begins = regular.take(pa.array(order)), begins[order]

        def panes(low: int, high: int) -> pa.RecordBatch:
            at, to = np.searchsorted(begins, (low, high))
            return regular.slice(at, to - at)

        stacks = memory.setdefault("overlap", TwoStacks(size, every, self.partials.merged_by_key))
        lowest = ((done - size - offset) // every + 1) * every + offset
        highest = (time - size - offset) // every * every + offset
        results = []
        for start in windows.starts_that_hold(np.unique(starts), lowest, highest):
            whole = stacks.window(start, panes)
            if others.num_rows:
                opens = others.column(ON_TIME).to_numpy()
                last = windows.last_window(others.column(START).to_numpy())
                added = others.filter(pa.array((opens <= start) & (last >= start)))
                whole = self.partials.merged_by_key(
                    [part for part in (whole, added) if part.num_rows] or [whole]
                )
            if whole.num_rows:
                begin = np.full(whole.num_rows, start, np.int64)
                results.append(self.partials.finished(whole, begin, begin + size, 0, offsets))
        return results

    def _each(
        self,
        block: pa.RecordBatch,
        opens: Int64s,
        after: int,
        until: int,
        revision: int,
        offsets: Offsets,
    ) -> list[pa.RecordBatch]:
        """Results of the windows that end after `after` and by `until`.

        opens: the first window of each row. Every row is repeated for each of its windows, some
        windows at a time, so that memory stays bounded.
        """
        every, starts = self.windows.every, block.column(START).to_numpy()
        lowest = self.windows.first_ending_after(after)
        highest = self.windows.first_ending_after(until) - every
        first = np.maximum(opens, lowest)
        last = np.minimum(self.windows.last_window(starts), highest)
        results: list[pa.RecordBatch] = []
        begin = int(first.min(initial=FOREVER))
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
                results += self._merged(block, rows, here[rows] + steps * every, revision, offsets)
            begin = upto + every
        return results

    def _merged(
        self, block: pa.RecordBatch, rows: Int64s, starts: Int64s, revision: int, offsets: Offsets
    ) -> list[pa.RecordBatch]:
        """One row a window and key. rows, starts: which rows are in which windows.

        A revision has only the keys with rows that revision 0 did not have.
        """
        by = [block.column(name).take(pa.array(rows)) for name in self.partials.by]
        ids, first = group_ids([starts, *by])
        if revision:
            changed = np.zeros(len(first), bool)
            changed[ids[block.column(ON_TIME).to_numpy()[rows] > starts]] = True
            kept = changed[ids]
            if not kept.any():
                return []
            rows, starts = rows[kept], starts[kept]
            ids, first = group_ids([starts, *(column.filter(pa.array(kept)) for column in by)])
        batch = block.take(pa.array(rows))
        whole = self.partials.merged(batch, ids, first) if len(first) < len(rows) else batch
        begins = starts[first]
        bounds = self.windows.starts_of(begins), self.windows.ends_of(begins)
        return [self.partials.finished(whole, *bounds, revision, offsets)]
