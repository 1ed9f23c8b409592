"""Windows over event time: the pane of each row, and the windows of each pane.

All times are microseconds. A window's start identifies it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled
from tocsin.kernels.time.calendar import Calendar


@dataclass(frozen=True)
class Sliding:
    """Sliding windows aligned to 1970-01-01T00:00Z plus `offset`. With size = every they tumble.

    A row belongs to exactly one pane. A pane's length is the greatest common divisor of `size` and
    `every`, so each row is aggregated once even if windows overlap.

    Attributes:
        size: length of a window, microseconds.
        every: interval between window starts, microseconds.
        offset: shift of all window starts, microseconds.
    """

    size: int
    every: int
    offset: int = 0

    @property
    def pane(self) -> int:
        """The length of a pane, microseconds."""
        return gcd(self.size, self.every)

    def grid(self, length: int) -> tuple[int, int]:
        """The longest spans of time that lie in one pane and in one `length` before each end.

        Gives their length and offset, microseconds.
        """
        return gcd(self.pane, length), self.offset

    def panes(self, times: Int64s) -> Int64s:
        """The start of each event time's pane."""
        starts: Int64s = (times - self.offset) // self.pane * self.pane + self.offset
        return starts

    def first_window(self, panes: Int64s) -> Int64s:
        """The start of the earliest window that holds each pane."""
        latest = (panes - self.offset) // self.every * self.every + self.offset
        count = (self.size - self.pane - (panes - latest)) // self.every
        first: Int64s = latest - np.maximum(count, -1) * self.every
        return first

    def last_window(self, panes: Int64s) -> Int64s:
        """The start of the latest window that holds each pane.

        In a gap, where `every` exceeds `size`, this is before `first_window`.
        """
        latest = (panes - self.offset) // self.every * self.every + self.offset
        last: Int64s = np.where(
            panes - latest + self.pane <= self.size, latest, latest - self.every
        )
        return last

    def first_open(self, panes: Int64s, watermarks: Int64s, lateness: int) -> Int64s:
        """The start of each pane's earliest window that is still open.

        A window is open while its end plus `lateness` is after the watermark. If the result is
        after the pane's `last_window`, the row is late for all its windows.
        """
        # end + lateness > watermark  <=>  start > watermark - lateness - size
        bound = np.maximum(watermarks, -(2**61)) - lateness - self.size - self.offset
        opens = (bound // self.every + 1) * self.every + self.offset
        first: Int64s = np.maximum(self.first_window(panes), opens)
        return first

    def place(
        self, times: Int64s, watermarks: Int64s, lateness: int
    ) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        """Everything that an operator needs to place rows, in one pass.

        Args:
            times: event times.
            watermarks: watermark of each row.
            lateness: allowed lateness.

        Returns:
            The rows' panes, their `first_open` with the lateness, their `first_open` without it,
            and their `last_window`.
        """
        placed = np.empty((4, len(times)), np.int64)
        _place(times, watermarks, self.size, self.every, self.pane, self.offset, lateness, placed)
        return placed[0], placed[1], placed[2] if lateness else placed[1], placed[3]

    def bounds(self, low: int, high: int) -> tuple[int, int]:
        """The start of the first window of the pane `low`, and of the last of the pane `high`."""
        return int(self.first_window(np.array([low]))[0]), int(
            self.last_window(np.array([high]))[0]
        )

    def first_ending_after(self, time: int) -> int:
        """The start of the first window that ends after a time."""
        return ((time - self.size - self.offset) // self.every + 1) * self.every + self.offset

    def starts_of(self, windows: Int64s) -> Int64s:
        """The start of each window, which is the window itself."""
        return windows

    def windows_of(self, starts: Int64s) -> Int64s:
        """The windows that start at these times."""
        return starts

    def last_starting_before(self, times: Int64s) -> Int64s:
        """The start of the last window that starts before each time."""
        found: Int64s = (times - 1 - self.offset) // self.every * self.every + self.offset
        return found

    def ends_of(self, windows: Int64s) -> Int64s:
        """The end of each window."""
        return windows + self.size

    def end_of(self, window: int) -> int:
        """The end of a window."""
        return window + self.size

    def starts_that_hold(self, panes: Int64s, lowest: int, highest: int) -> list[int]:
        """Sorted starts, from `lowest` to `highest`, of the windows that hold any of the panes."""
        first = np.maximum(self.first_window(panes), lowest)
        last = np.minimum(self.last_window(panes), highest)
        found: set[int] = set()
        latest = lowest - self.every
        for low, high in sorted(zip(first.tolist(), last.tolist(), strict=True)):
            found.update(range(max(low, latest + self.every), high + 1, self.every))
            latest = max(latest, high)
        return sorted(found)


@compiled
def _place(
    times: Int64s,
    watermarks: Int64s,
    size: int,
    every: int,
    pane: int,
    offset: int,
    lateness: int,
    placed: Int64s,
) -> None:
    """Write the four results of `Sliding.place` to the rows of `placed`.

    Rows arrive roughly in time order. Most share the pane of the previous row and need no division.
    """
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
            # The start of the last window that the watermark has closed.
            bound = max(watermarks[row], -(2**61)) - delays[which] - size
            if not is_begun or bound < bounds[which] or bound >= bounds[which] + every:
                bounds[which] = (bound - offset) // every * every + offset
            placed[1 + which, row] = max(first, bounds[which] + every)
        is_begun = True


@dataclass(frozen=True)
class Session:
    """Windows that end when a key has no reading for `gap` microseconds."""

    gap: int


Windows = Sliding | Calendar | Session
