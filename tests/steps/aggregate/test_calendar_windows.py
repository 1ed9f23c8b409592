"""Windows of local days, weeks and months, compared with a loop of calendar arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.steps.aggregate.test_window_operator import MEASURES, run, summary
from tests.support.streams import LATENESS, OUT_OF_ORDERNESS, SECOND, Row, deliveries
from tocsin.kernels.batch import BEGINNING
from tocsin.kernels.time.calendar import Calendar, boundaries
from tocsin.kernels.time.lateness import running_watermarks
from tocsin.steps.aggregate.step import Aggregate

# Days with readings: a clock goes forward, one goes back, and a midnight is skipped.
PLACES = {
    ("Europe/Paris", "day"): date(2026, 3, 28),
    ("Europe/Paris", "week"): date(2026, 10, 19),
    ("America/Sao_Paulo", "day"): date(2018, 11, 3),
    ("Australia/Lord_Howe", "month"): date(2026, 3, 1),
    ("UTC", "day"): date(2028, 2, 28),
}


def bounds_of(time: int, zone: str, unit: str) -> tuple[int, int]:
    """The calendar window that contains a time."""
    local = datetime.fromtimestamp(time / SECOND, ZoneInfo(zone)).date()
    if unit == "day":
        first, last = local, local + timedelta(days=1)
    elif unit == "week":
        first = local - timedelta(days=local.weekday())
        last = first + timedelta(days=7)
    else:
        first = local.replace(day=1)
        last = (first + timedelta(days=32)).replace(day=1)
    moments = [
        datetime(one.year, one.month, one.day, tzinfo=ZoneInfo(zone)).timestamp()
        for one in (first, last)
    ]
    return round(moments[0]) * SECOND, round(moments[1]) * SECOND


def rows_near_midnights(
    drawn: list[list[tuple[str, int, float | None]]], zone: str, unit: str
) -> list[list[Row]]:
    """Readings within half a minute of the starts of three windows."""
    start = (
        round(datetime.combine(PLACES[zone, unit], datetime.min.time(), ZoneInfo(zone)).timestamp())
        * SECOND
    )
    edges = [start]
    for _ in range(3):
        edges.append(bounds_of(edges[-1], zone, unit)[1])
    found = []
    for number, readings in enumerate(drawn):
        times = np.array(
            [edges[1 + second // 31] + (second % 31 - 15) * SECOND for _, second, _ in readings],
            np.int64,
        )
        watermarks, _ = running_watermarks(times, BEGINNING, OUT_OF_ORDERNESS)
        found.append(
            [
                Row(sensor, value, int(time), int(watermark), number, at)
                for at, ((sensor, _, value), time, watermark) in enumerate(
                    zip(readings, times, watermarks, strict=True)
                )
            ]
        )
    return found


def expected(rows: list[Row], zone: str, unit: str) -> tuple[set[tuple[Any, ...]], int]:
    on_time: dict[tuple[int, int, str], list[Row]] = {}
    accepted: dict[tuple[int, int, str], list[Row]] = {}
    late = 0
    for row in rows:
        start, end = bounds_of(row.time, zone, unit)
        if end + LATENESS <= row.watermark:
            late += 1
            continue
        accepted.setdefault((start, end, row.sensor), []).append(row)
        if end > row.watermark:
            on_time.setdefault((start, end, row.sensor), []).append(row)
    found = {summary(start, end, sensor, 0, held) for (start, end, sensor), held in on_time.items()}
    for key, held in accepted.items():
        if len(held) > len(on_time.get(key, [])):
            found.add(summary(*key, 1, held))
    return found, late


readings = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 92),
        st.none() | st.integers(-50, 50).map(lambda n: n / 7),
    ),
    min_size=1,
    max_size=30,
)


@pytest.mark.parametrize("place", PLACES, ids="-".join)
@settings(max_examples=40)
@given(drawn=st.lists(readings, min_size=1, max_size=3), seed=st.integers(0, 1000))
def test_calendar_windows_equal_those_of_a_loop(
    place: tuple[str, str], drawn: Any, seed: int
) -> None:
    zone, unit = place
    rows = rows_near_midnights(drawn, zone, unit)
    step = Aggregate.model_validate(
        {"calendar": unit, "time_zone": zone, "by": ["sensor"], "measures": MEASURES, "shards": 2}
    )
    random = np.random.default_rng(seed)
    came, _, late = run(step, deliveries(rows, random), random)
    wanted, lost = expected([row for partition in rows for row in partition], zone, unit)
    assert len(came) == len(set(came))
    assert (set(came), late) == (wanted, lost)


def test_a_day_may_have_23_or_25_hours_and_a_midnight_may_be_skipped() -> None:
    def hours(zone: str, day: date) -> float:
        noon = (
            datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).timestamp() * SECOND
        )
        windows = Calendar("day", zone)
        at = windows.first_ending_after(int(noon))
        return (windows.end_of(at) - int(windows.starts_of(np.array([at]))[0])) / 3_600 / SECOND

    assert [
        hours("Europe/Paris", date(2026, 3, 29)),
        hours("Europe/Paris", date(2026, 10, 25)),
    ] == [23, 25]
    assert hours("America/Sao_Paulo", date(2018, 11, 4)) == 23
    assert hours("Australia/Lord_Howe", date(2026, 4, 5)) == 24.5


@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_windows_meet_without_gaps_for_130_years(unit: str) -> None:
    edges = boundaries(unit, "Europe/Paris")
    assert (np.diff(edges) > 0).all()
    assert np.diff(edges).max() < Calendar.size
    assert datetime.fromtimestamp(int(edges[-1]) / SECOND, UTC).year >= 2099


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"calendar": "day", "time_zone": "Europe/Atlantis"}, "no time zone 'Europe/Atlantis'"),
        ({"calendar": "day", "every": "1 h"}, "needs one of"),
        ({"calendar": "day", "window": "1 h"}, "`window` goes with `every`"),
        ({"calendar": "day", "offset": "1 h"}, "`offset` goes with `every`"),
        ({"every": "1 h", "time_zone": "Europe/Paris"}, "`time_zone` goes with `calendar`"),
        ({"calendar": "year"}, "'day', 'week' or 'month'"),
    ],
)
def test_contradictory_settings_are_refused(written: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Aggregate.model_validate({**written, "measures": {"n": "count()"}})
