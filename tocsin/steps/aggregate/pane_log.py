"""A log of partial results, with what each firing asks of a part, found once a part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Booleans, Int64s, Offsets, offsets_of
from tocsin.kernels.time.calendar import Calendar
from tocsin.kernels.time.windows import Sliding
from tocsin.steps.aggregate.partials import ACCEPTED, ON_TIME, START


@dataclass(frozen=True)
class PaneLog:
    """Partial results, and the starts of their first and last pane, microseconds.

    first_end, last_end: the ends of the first and the last window that hold a pane of theirs.
    """

    part: pa.RecordBatch
    windows: Sliding | Calendar
    low: int
    high: int
    first_end: int
    last_end: int

    @classmethod
    def of(cls, part: pa.RecordBatch, windows: Sliding | Calendar) -> PaneLog:
        """Partial results, at least one row."""
        starts = part.column(START).to_numpy()
        low, high = int(starts.min()), int(starts.max())
        first, last = (windows.end_of(window) for window in windows.bounds(low, high))
        return cls(part, windows, low, high, first, last)

    @cached_property
    def offsets(self) -> Offsets:
        """The offsets that they were computed from."""
        return offsets_of(self.part)

    def left(self, time: int) -> int:
        """How many rows are in a window that ends after a time."""
        if self.last_end <= time:
            return 0
        left: int = self.part.num_rows
        return left - int(np.searchsorted(self._sorted_ends, time, side="right"))

    def is_left(self, time: int) -> Booleans:
        """Which rows are in a window that ends after a time."""
        found: Booleans = self._ends > time
        return found

    def has_late_rows(self, first: int, last: int) -> bool:
        """Whether revision 1 of a window from `first` to `last` has rows that 0 does not have."""
        accepted, until = self._late
        return bool(((accepted <= last) & (until >= first)).any())

    @cached_property
    def others(self) -> pa.RecordBatch:
        """The rows that are not in all windows of their pane on time."""
        return self.part.filter(pa.array(~self._is_regular))

    def regular(self, low: int, high: int) -> pa.RecordBatch:
        """The other rows, with panes that start from `low` until before `high`."""
        order, panes = self._by_pane
        at, to = np.searchsorted(panes, (low, high))
        return self.part.take(pa.array(order[at:to]))

    def panes(self, low: int, high: int) -> Int64s:
        """The starts of their panes, from `low` until before `high`."""
        at, to = np.searchsorted(self._panes, (low, high))
        return self._panes[at:to]

    @cached_property
    def _ends(self) -> Int64s:
        last = self.windows.last_window(self.part.column(START).to_numpy())
        return self.windows.ends_of(last)

    @cached_property
    def _sorted_ends(self) -> Int64s:
        return np.sort(self._ends)

    @cached_property
    def _late(self) -> tuple[Int64s, Int64s]:
        """The first and the last window that have a late row in revision 1 only."""
        accepted, on_time = (self.part.column(name).to_numpy() for name in (ACCEPTED, ON_TIME))
        late = np.flatnonzero(on_time > accepted)
        last = self.windows.last_window(self.part.column(START).to_numpy()[late])
        return accepted[late], np.minimum(on_time[late] - self.windows.every, last)

    @cached_property
    def _is_regular(self) -> Booleans:
        starts, on_time = (self.part.column(name).to_numpy() for name in (START, ON_TIME))
        found: Booleans = on_time == self.windows.first_window(starts)
        return found

    @cached_property
    def _by_pane(self) -> tuple[Int64s, Int64s]:
        rows = np.flatnonzero(self._is_regular)
        starts = self.part.column(START).to_numpy()[rows]
        order = np.argsort(starts, kind="stable")
        return rows[order], starts[order]

    @cached_property
    def _panes(self) -> Int64s:
        return np.unique(self.part.column(START).to_numpy())


def panes_of(
    log: list[pa.RecordBatch], before: list[PaneLog], windows: Sliding | Calendar
) -> list[PaneLog]:
    """The parts of a log with their panes. before: parts that are known."""
    known = {id(one.part): one for one in before}
    return [known.get(id(part)) or PaneLog.of(part, windows) for part in log]
