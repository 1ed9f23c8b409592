"""Calendar windows: days, weeks and months of a time zone, with daylight saving."""

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
    """A window for each local day, week (from Monday) or month of the years 1970 to 2099.

    Calendar windows differ in length. An axis of their own gives all of them the same length, so
    that operators treat them as they treat `Sliding` windows. A window's position on that axis is
    its number times `size`. `starts_of` and `ends_of` convert positions to microseconds.

    Attributes:
        unit: `day`, `week` or `month`.
        zone: a time zone of the IANA database, such as Europe/Berlin.
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
        """As `Sliding.place`, in positions on the axis."""
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
        """The windows of the panes `low` and `high`."""
        return low, high

    def first_ending_after(self, time: int) -> int:
        """The first window that ends after a time in microseconds."""
        return int(self._window(np.array([time]))[0])

    def starts_of(self, windows: Int64s) -> Int64s:
        """The start of each window, microseconds."""
        found: Int64s = boundaries(self.unit, self.zone)[self._number(windows)]
        return found

    def windows_of(self, starts: Int64s) -> Int64s:
        """The windows that start at these times, microseconds."""
        return self._window(starts)

    def last_starting_before(self, times: Int64s) -> Int64s:
        """The last window that starts before each time, microseconds."""
        return self._window(times - 1)

    def ends_of(self, windows: Int64s) -> Int64s:
        """The end of each window, microseconds."""
        found: Int64s = boundaries(self.unit, self.zone)[self._number(windows) + 1]
        return found

    def end_of(self, window: int) -> int:
        """The end of a window, microseconds."""
        return int(self.ends_of(np.array([window]))[0])

    def _window(self, times: Int64s) -> Int64s:
        found: Int64s = (
            np.searchsorted(boundaries(self.unit, self.zone), times, side="right") - 1
        ).astype(np.int64) * self.size
        return found

    def _number(self, windows: Int64s) -> Any:
        """The number of each window. The first and the last one take all times outside."""
        return np.clip(windows // self.size, 0, len(boundaries(self.unit, self.zone)) - 2)


@cache
def boundaries(unit: str, zone: str) -> Int64s:
    """The starts of all days, weeks or months, and the end of the last one, in microseconds.

    Where the clock change skips midnight, a day starts at the change. Where midnight occurs twice,
    a day starts at the first.

    Args:
        unit: `day`, `week` or `month`.
        zone: a time zone of the IANA database.

    Raises:
        ValueError: for an unknown time zone.
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
