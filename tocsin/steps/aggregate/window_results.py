"""Results of the tumbling, sliding and calendar windows that are complete at a time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.kernels.batch import FOREVER, Int64s, Offsets, merge_offsets
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
        parts = [
            one for one in log if one.first_end <= time and one.last_end + self.lateness > done
        ]
        if not parts:
            return []
        offsets = merge_offsets([one.offsets for one in parts])
        if isinstance(self.windows, Sliding) and self._is_costly(self.windows, parts, done, time):
            results = self._overlapping(self.windows, parts, done, time, memory, offsets)
        else:
            block = self.partials.concatenated([one.part for one in parts])
            results = self._each(block, block.column(ON_TIME).to_numpy(), done, time, 0, offsets)
        if self.lateness:
            results += self._revised(parts, done - self.lateness, time - self.lateness, offsets)
        return results

    def _revised(
        self, parts: list[PaneLog], after: int, until: int, offsets: Offsets
    ) -> list[pa.RecordBatch]:
        """Revision 1 of the windows that end after `after` and by `until`."""
        first = self.windows.first_ending_after(after)
        last = self.windows.first_ending_after(until) - self.windows.every
        if not any(one.has_late_rows(first, last) for one in parts):
            return []
        block = self.partials.concatenated([one.part for one in parts])
        late = block.column(ON_TIME).to_numpy() > block.column(ACCEPTED).to_numpy()
        revised = self._keys_of(block, late)
        return self._each(revised, revised.column(ACCEPTED).to_numpy(), after, until, 1, offsets)

    @staticmethod
    def _is_costly(windows: Sliding, parts: list[PaneLog], done: int, time: int) -> bool:
        """Whether complete windows share too many rows to merge them for each window."""
        size, every = windows.size, windows.every
        low, high = min(one.low for one in parts), max(one.high for one in parts) + windows.pane
        first = max(min(one.first_end for one in parts) - size, windows.first_ending_after(done))
        last = min(max(one.last_end for one in parts) - size, time - size)
        if size <= _OVERLAPPING * every or first > last:
            return False
        # Rows are spread evenly over panes, or nearly so.
        starts = np.arange(first, last + 1, every)
        held = np.maximum(np.minimum(starts + size, high) - np.maximum(starts, low), 0)
        rows = sum(one.part.num_rows for one in parts)
        return bool(held.mean() * rows > _ROWS_A_WINDOW * (high - low))

    def _keys_of(self, block: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
        """All rows of the keys of some rows."""
        if not self.partials.by:
            return block
        ids, first = group_ids([block.column(name) for name in self.partials.by])
        wanted = np.zeros(len(first), bool)
        wanted[ids[rows]] = True
        if wanted.all():
            return block
        return block.filter(pa.array(wanted[ids]))

    def _overlapping(
        self,
        windows: Sliding,
        parts: list[PaneLog],
        done: int,
        time: int,
        memory: Memory,
        offsets: Offsets,
    ) -> list[pa.RecordBatch]:
        """Revision 0 of windows that overlap.

        Rows that are in all windows of their pane go through `TwoStacks`; the few others are merged
        window by window.
        """
        size, every = windows.size, windows.every

        def panes(low: int, high: int) -> pa.RecordBatch:
            found = [one.regular(low, high) for one in parts if one.low < high and one.high >= low]
            return self.partials.concatenated(found or [parts[0].part.slice(0, 0)])

        others = self.partials.concatenated([one.others for one in parts])
        stacks = memory.setdefault("overlap", TwoStacks(size, every, self.partials.merged_by_key))
        lowest = windows.first_ending_after(done)
        highest = windows.first_ending_after(time) - every
        held = np.unique(np.concatenate([one.panes(lowest, highest + size) for one in parts]))
        results = []
        for start in windows.starts_that_hold(held, lowest, highest):
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
