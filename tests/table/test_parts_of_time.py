"""Parts of the event time as columns, at the ends of time too, and rows split by values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lakes import START, partitioned
from tocsin.table.parts_of_time import TIME_PARTS, by_values, part_of_time, with_parts

HOUR = 3_600_000_000
FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999


def parts_of(time: int) -> dict[str, Any]:
    found = {}
    for part, kind in TIME_PARTS.items():
        column = part_of_time(part, np.array([time]))
        assert column.type == kind
        (found[part],) = column.to_pylist()
    return found


@given(st.integers(FIRST, LAST))
def test_the_parts_are_those_of_the_calendar(time: int) -> None:
    moment = datetime.fromtimestamp(time // 1_000_000, UTC)
    assert parts_of(time) == {
        "date": moment.date(),
        "hour": moment.hour,
        "month": f"{moment.year:04}-{moment.month:02}",
        "year": moment.year,
    }


@pytest.mark.parametrize(
    ("time", "day", "month"),
    [
        (LAST + 1, date(9999, 12, 31), "9999-12"),
        (2**61, date(9999, 12, 31), "9999-12"),
        (FIRST - 1, date(1, 1, 1), "0001-01"),
        (-(2**61), date(1, 1, 1), "0001-01"),
    ],
)
def test_times_beyond_the_calendar_have_its_ends(time: int, day: date, month: str) -> None:
    found = parts_of(time)
    assert (found["date"], found["month"], found["year"]) == (day, month, day.year)


@pytest.mark.parametrize("by", [["date"], ["place"], ["date", "place"], ["place", "hour"], []])
def test_each_combination_of_values_has_its_rows(by: list[str]) -> None:
    names = ["a", "b", "a", None, "", "a"]
    batch = with_parts(partitioned(pa.array(names)), by, np.full(6, START))
    found = [part.column("value").to_pylist() for part in by_values(batch, by)]
    apart = [[0.0, 2.0, 5.0], [1.0], [3.0], [4.0]]
    assert found == (apart if "place" in by else [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]])


def test_a_batch_without_rows_is_one_part() -> None:
    assert [part.num_rows for part in by_values(partitioned(pa.array([], pa.string())), ["place"])]
