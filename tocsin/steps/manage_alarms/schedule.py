"""Local hours in which operators are notified, as spans of event time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import field_validator

from tocsin.alarms.event import Severity
from tocsin.kernels.batch import Floats
from tocsin.parts.part import Param, Part

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SPAN = re.compile(
    r"(?:(?P<first>[A-Z][a-z]{2})(?:-(?P<last>[A-Z][a-z]{2}))? )?"
    r"(?P<opens>\d\d:\d\d)-(?P<closes>\d\d:\d\d)"
)
_DAY = timedelta(days=1)
# Hours are computed for this long after the last event, to include the next opening.
_AHEAD = 9 * _DAY


class Schedule(Part):
    """Notifies operators in these hours. An alarm raised outside waits until they begin.

    An hour that daylight saving skips does not occur; a repeated hour counts both times.
    """

    time_zone: str = Param(help="name of the time zone", examples=["Europe/Paris"])
    active: list[str] = Param(
        help="days and local hours", examples=[["Mon-Fri 07:00-19:00"]], min_length=1
    )
    unless: Severity | None = Param(
        None, help="severity from which operators are notified at all times"
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(
                f"no time zone '{name}'; write a name such as 'Europe/Paris'"
            ) from None
        return name

    @field_validator("active")
    @classmethod
    def _spans(cls, texts: list[str]) -> list[str]:
        for text in texts:
            _span(text)
        return texts

    def spans(self, first: float, last: float) -> tuple[Floats, Floats]:
        """Opening and closing times, from a day before `first` to nine days after `last`.

        All times are microseconds.
        """
        zone = ZoneInfo(self.time_zone)
        wanted = [_span(text) for text in self.active]
        day = (datetime.fromtimestamp(first / 1e6, UTC).astimezone(zone) - 2 * _DAY).date()
        end = (datetime.fromtimestamp(last / 1e6, UTC).astimezone(zone) + _AHEAD).date()
        found = []
        while day <= end:
            for days, opens, closes in wanted:
                if day.weekday() in days:
                    # If the clock shows the hour twice, the first opens and the second closes.
                    start = datetime.combine(day, opens, zone).timestamp()
                    stop = (
                        datetime.combine(day if closes > opens else day + _DAY, closes, zone)
                        .replace(fold=1)
                        .timestamp()
                    )
                    found.append((start * 1e6, stop * 1e6))
            day += _DAY
        return _joined(found)


def _span(text: str) -> tuple[set[int], time, time]:
    """Weekdays from 0, Monday, with opening and closing time. Raises ValueError."""
    match = _SPAN.fullmatch(text)
    if match is None or any(day not in (None, *_DAYS) for day in (match["first"], match["last"])):
        raise ValueError(
            f"'{text}' are no hours; write days and local times, "
            "such as 'Mon-Fri 07:00-19:00' or '22:00-06:00'"
        )
    first = _DAYS.index(match["first"]) if match["first"] else 0
    last = _DAYS.index(match["last"]) if match["last"] else first if match["first"] else 6
    days = {at % 7 for at in range(first, last + 1 if last >= first else last + 8)}
    try:
        opens = time.fromisoformat(match["opens"])
        # The end of a day is the beginning of the next.
        closes = time() if match["closes"] == "24:00" else time.fromisoformat(match["closes"])
    except ValueError:
        raise ValueError(f"'{text}' has a time that no clock shows") from None
    return days, opens, closes


def _joined(spans: list[Any]) -> tuple[Floats, Floats]:
    """Spans in order; those that meet or overlap are merged."""
    joined: list[list[float]] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], stop)
        elif stop > start:
            joined.append([start, stop])
    table = np.array(joined, np.float64).reshape(-1, 2)
    return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])
