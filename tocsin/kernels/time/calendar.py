"""Windows of people's calendars: days, weeks and months of a time zone, some of them an hour longer or shorter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import numpy as np

from tocsin.kernels.batch import Int64s

_FIRST, _LAST = 1970, 2100


@dataclass(frozen=True)
class Calendar:
    """A window for each local day, week (from Monday) or month, of the years 1970 to 2099.

    Windows stand on an axis of their own on which all are equally long, so that the rest of the machinery need not know: a
    window's place there is its number times `size`. `starts_of` and `ends_of` lead back to microseconds.
    """

    unit: str
    zone: str

    # Longer than any month, in microseconds.
    size: ClassVar[int] = 32 * 86_400_000_000
    every: ClassVar[int] = size
    pane: ClassVar[int] = size
    offset: ClassVar[int] = 0

    def place(
        self, times: Int64s, watermarks: Int64s, lateness: int
    ) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        """As `Sliding.place`, on the axis."""
        starts = self._window(times)
        on_time = np.maximum(starts, self._window(watermarks))
        accepted = np.maximum(starts, self._window(watermarks - lateness)) if lateness else on_time
        return starts, accepted, on_time, starts

    def first_window(self, panes: Int64s) -> Int64s:
        """A window is one pane."""
        return panes

    def last_window(self, panes: Int64s) -> Int64s:
        """A window is one pane."""
        return panes

    def bounds(self, low: int, high: int) -> tuple[int, int]:
        """The windows of two panes."""
        return low, high

    def first_ending_after(self, time: int) -> int:
        """The first window whose end is after a time."""
        return int(self._window(np.array([time]))[0])

    def starts_of(self, windows: Int64s) -> Int64s:
        """Microseconds at which windows start."""
        found: Int64s = boundaries(self.unit, self.zone)[self._number(windows)]
        return found

    def windows_of(self, starts: Int64s) -> Int64s:
        """The windows that start at these microseconds."""
        return self._window(starts)

    def last_starting_before(self, times: Int64s) -> Int64s:
        """The last window that starts before each time."""
        return self._window(times - 1)

    def ends_of(self, windows: Int64s) -> Int64s:
        """Microseconds at which windows end."""
        found: Int64s = boundaries(self.unit, self.zone)[self._number(windows) + 1]
        return found

    def end_of(self, window: int) -> int:
        """Microseconds at which a window ends."""
        return int(self.ends_of(np.array([window]))[0])

    def _window(self, times: Int64s) -> Int64s:
        found: Int64s = (
            np.searchsorted(boundaries(self.unit, self.zone), times, side="right") - 1
        ).astype(np.int64) * self.size
        return found

    def _number(self, windows: Int64s) -> Any:
        """Times before the first window are in it, as are those after the last in that."""
        return np.clip(windows // self.size, 0, len(boundaries(self.unit, self.zone)) - 2)


@cache
def boundaries(unit: str, zone: str) -> Int64s:
    """Microseconds at which the days, weeks or months begin, and at which the last one ends. Raises ValueError for another zone.

    A local midnight that a change of the clocks skips is the moment of the change; of one that comes twice it is the first.
    """
    try:
        known = ZoneInfo(zone)
    except (KeyError, OSError, ValueError):
        raise ValueError(
            f"no time zone '{zone}'; write one such as Europe/Berlin, Etc/GMT-1 or UTC"
        ) from None
    days = []
    day = date(_FIRST, 1, 1) if unit != "week" else date(_FIRST, 1, 5)
    while day.year < _LAST:
        days.append(day)
        if unit == "month":
            day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
        else:
            day += timedelta(days=1 if unit == "day" else 7)
    days.append(day)
    moments = [
        round(datetime(one.year, one.month, one.day, tzinfo=known).timestamp()) for one in days
    ]
    return np.array(moments, np.int64) * 1_000_000
