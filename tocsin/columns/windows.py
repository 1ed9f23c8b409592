"""Windows over event time: which pane a row is in, and which windows a pane is in. All times are microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from tocsin.columns.contract import Int64s


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
        last: Int64s = np.where(panes - latest + self.pane <= self.size, latest, latest - self.every)
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

    def bounds(self, low: int, high: int) -> tuple[int, int]:
        """Start of the first window that holds the pane `low`, and of the last that holds the pane `high`."""
        return int(self.first_window(np.array([low]))[0]), int(self.last_window(np.array([high]))[0])

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


@dataclass(frozen=True)
class Session:
    """Windows that end when a key has been quiet for `gap`."""

    gap: int


Windows = Sliding | Session
