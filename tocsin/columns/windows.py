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

    def starts_ending_by(self, panes: Int64s, time: int) -> Int64s:
        """Starts of all windows that hold any of the panes and end at or before `time`, in order."""
        if not len(panes):
            return np.zeros(0, np.int64)
        first, last = int(self.first_window(panes).min()), int(self.last_window(panes).max())
        last = min(last, (time - self.size - self.offset) // self.every * self.every + self.offset)
        return np.arange(first, last + 1, self.every, dtype=np.int64)


@dataclass(frozen=True)
class Session:
    """Windows that end when a key has been quiet for `gap`."""

    gap: int


Windows = Sliding | Session
