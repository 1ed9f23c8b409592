"""Windows over event time: which pane a row is in, and which windows a pane is in. All times are microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled
from tocsin.kernels.time.calendar import Calendar


@dataclass(frozen=True)
class Sliding:
    """Windows of `size` that start every `every`, aligned to 1970-01-01T00:00Z plus `offset`. Tumbling: size = every.

    A row belongs to one pane; panes are as long as the greatest common divisor of size and every, so that rows
    are aggregated once however much windows overlap.
    """

    size: int
    every: int
    offset: int = 0

    @property
    def pane(self) -> int:
        """Length of a pane."""
        return gcd(self.size, self.every)

    def panes(self, times: Int64s) -> Int64s:
        """Start of the pane of each event time."""
        starts: Int64s = (times - self.offset) // self.pane * self.pane + self.offset
        return starts

    def first_window(self, panes: Int64s) -> Int64s:
        """Start of the earliest window that holds the pane."""
        latest = (panes - self.offset) // self.every * self.every + self.offset
        count = (self.size - self.pane - (panes - latest)) // self.every
        first: Int64s = latest - np.maximum(count, -1) * self.every
        return first

    def last_window(self, panes: Int64s) -> Int64s:
        """Start of the latest window that holds the pane; before the first where `every` leaves gaps."""
        latest = (panes - self.offset) // self.every * self.every + self.offset
        last: Int64s = np.where(
            panes - latest + self.pane <= self.size, latest, latest - self.every
        )
        return last

    def first_open(self, panes: Int64s, watermarks: Int64s, lateness: int) -> Int64s:
        """Start of the earliest window of the pane whose end + lateness is after the watermark.

        It may lie after the last window of the pane: then the row is late for all of them.
        """
        # end + lateness > watermark  <=>  start > watermark - lateness - size
        bound = np.maximum(watermarks, -(2**61)) - lateness - self.size - self.offset
        opens = (bound // self.every + 1) * self.every + self.offset
        first: Int64s = np.maximum(self.first_window(panes), opens)
        return first

    def place(
        self, times: Int64s, watermarks: Int64s, lateness: int
    ) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        """`panes`, their `first_open` with the lateness and without, and their `last_window`, in one go over the rows."""
        placed = np.empty((4, len(times)), np.int64)
        _place(times, watermarks, self.size, self.every, self.pane, self.offset, lateness, placed)
        return placed[0], placed[1], placed[2] if lateness else placed[1], placed[3]

    def bounds(self, low: int, high: int) -> tuple[int, int]:
        """Start of the first window that holds the pane `low`, and of the last that holds the pane `high`."""
        return int(self.first_window(np.array([low]))[0]), int(
            self.last_window(np.array([high]))[0]
        )

    def first_ending_after(self, time: int) -> int:
        """Start of the first window whose end is after a time."""
        return ((time - self.size - self.offset) // self.every + 1) * self.every + self.offset

    def starts_of(self, windows: Int64s) -> Int64s:
        """Microseconds at which windows start: windows are called by that."""
        return windows

    def windows_of(self, starts: Int64s) -> Int64s:
        """The windows that start at these microseconds."""
        return starts

    def last_starting_before(self, times: Int64s) -> Int64s:
        """The last window that starts before each time."""
        found: Int64s = (times - 1 - self.offset) // self.every * self.every + self.offset
        return found

    def ends_of(self, windows: Int64s) -> Int64s:
        """Microseconds at which windows end."""
        return windows + self.size

    def end_of(self, window: int) -> int:
        """Microseconds at which a window ends."""
        return window + self.size

    def starts_that_hold(self, panes: Int64s, lowest: int, highest: int) -> list[int]:
        """Starts from `lowest` to `highest` of the windows that hold any of the panes, in order."""
        first = np.maximum(self.first_window(panes), lowest)
        last = np.minimum(self.last_window(panes), highest)
        found: set[int] = set()
        reached = lowest - self.every
        for low, high in sorted(zip(first.tolist(), last.tolist(), strict=True)):
            found.update(range(max(low, reached + self.every), high + 1, self.every))
            reached = max(reached, high)
        return sorted(found)


@compiled
def _place(times, watermarks, size, every, pane, offset, lateness, placed):  # type: ignore[no-untyped-def]
    """Rows come in about the order of time: most are in the pane of the row before, so that little is divided."""
    start, first, last = 0, 0, 0
    bounds, delays = np.zeros(2, np.int64), np.array([lateness, 0])
    is_begun = False
    for row in range(len(times)):
        time = times[row]
        if not is_begun or time < start or time >= start + pane:
            start = (time - offset) // pane * pane + offset
            latest = (start - offset) // every * every + offset
            first = latest - max((size - pane - (start - latest)) // every, -1) * every
            last = latest if start - latest + pane <= size else latest - every
        placed[0, row] = start
        placed[3, row] = last
        for which in range(2 if lateness else 1):
            # The start of the last window that is closed at the watermark.
            bound = max(watermarks[row], -(2**61)) - delays[which] - size
            if not is_begun or bound < bounds[which] or bound >= bounds[which] + every:
                bounds[which] = (bound - offset) // every * every + offset
            placed[1 + which, row] = max(first, bounds[which] + every)
        is_begun = True


@dataclass(frozen=True)
class Session:
    """Windows that end when a key has been quiet for `gap`."""

    gap: int


Windows = Sliding | Calendar | Session
