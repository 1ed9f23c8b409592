"""Which numbers are dates and times."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tocsin.kernels.avro.columns import bounds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_dates_are_those_of_the_years_1_to_9999() -> None:
    first, last, _ = bounds("date")
    assert date(1970, 1, 1) + timedelta(days=first) == date.min
    assert date(1970, 1, 1) + timedelta(days=last) == date.max


@pytest.mark.parametrize(
    ("unit", "of_a_second", "name"),
    [("millis", 1_000, "milliseconds"), ("micros", 1_000_000, "microseconds")],
)
@pytest.mark.parametrize("prefix", ["timestamp", "local-timestamp"])
def test_times_are_those_of_the_years_1_to_9999(
    prefix: str, unit: str, of_a_second: int, name: str
) -> None:
    first, last, sentence = bounds(f"{prefix}-{unit}")
    assert first == (FIRST - EPOCH) // (SECOND / of_a_second)
    assert last == (LAST - EPOCH) // (SECOND / of_a_second)
    assert sentence.startswith(f"{name} since 1970")


def test_nanoseconds_are_all_of_64_bits() -> None:
    assert bounds("timestamp-nanos")[:2] == (-(2**63), 2**63 - 1)


@pytest.mark.parametrize(("unit", "of_a_day"), [("millis", 86_400_000), ("micros", 86_400_000_000)])
def test_times_of_a_day_end_before_midnight(unit: str, of_a_day: int) -> None:
    assert bounds(f"time-{unit}")[:2] == (0, of_a_day - 1)
