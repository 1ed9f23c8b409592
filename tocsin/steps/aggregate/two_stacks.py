"""Partial results of overlapping windows, without merging every pane for each window."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

Merge = Callable[[list[pa.RecordBatch]], pa.RecordBatch]
Panes = Callable[[int, int], pa.RecordBatch]


class TwoStacks:
    """Merges a window from two parts: its panes before a boundary, and those after it.

    The first part has a partial result for each start before the boundary, made in one pass
    backwards. The second part grows by new panes. So each pane is merged about three times,
    whatever size/every is. Everything it holds can be made again from the panes.

    Source: Tangwongsan, Hirzel, Schneider: Low-latency sliding-window aggregation in worst-case
    constant time (2017), section 3.
    """

    def __init__(self, size: int, every: int, merge: Merge) -> None:
        self.size, self.every, self.merge = size, every, merge
        self._before: dict[int, pa.RecordBatch] = {}
        self._after: pa.RecordBatch | None = None
        self._end = 0

    def window(self, start: int, panes: Panes) -> pa.RecordBatch:
        """The partial results of the panes of a window. Call it in the order of starts.

        panes: returns the rows of the panes between two times, always the same ones.
        """
        if start not in self._before:
            self._turn(start, panes)
        for past in [one for one in self._before if one < start]:
            del self._before[past]
        end = start + self.size
        new = panes(self._end, end) if end > self._end else None
        if new is not None:
            parts = [part for part in (self._after, new) if part is not None and part.num_rows]
            self._after = self.merge(parts) if parts else None
            self._end = end
        before = self._before[start]
        if self._after is None:
            return before
        return self.merge([before, self._after]) if before.num_rows else self._after

    def _turn(self, start: int, panes: Panes) -> None:
        """Set the boundary to the end of the window with this start."""
        self._end, self._after, self._before = start + self.size, None, {}
        whole: pa.RecordBatch | None = None
        for begin in reversed(range(start, self._end, self.every)):
            part = panes(begin, min(begin + self.every, self._end))
            parts = (
                [part]
                if whole is None
                else [one for one in (part, whole) if one.num_rows] or [part]
            )
            whole = self.merge(parts) if parts[0].num_rows else parts[0]
            self._before[begin] = whole
