"""Event times mean the same instant in whatever form and unit they are sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.batch import BEGINNING
from tocsin.kernels.time.event_times import event_micros, why_no_time
from tocsin.kernels.time.likely_unit import confusion, likely_unit

PER_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
instants = st.integers(-62_135_596_800, 253_402_300_799)
modern = st.integers(946_684_800, 4_102_444_799)


def one(value: Any, kind: Any, unit: str | None = None) -> int:
    return int(event_micros(pa.array([value], kind), unit)[0])


@given(modern, st.sampled_from(list(PER_SECOND)))
def test_a_number_of_any_unit_is_its_instant(second: int, unit: str) -> None:
    number = second * PER_SECOND[unit]
    assert one(number, pa.int64(), unit) == second * 10**6
    assert one(str(number), pa.string(), unit) == second * 10**6
    assert one(float(second) + 0.5, pa.float64(), "seconds") == second * 10**6 + 500_000


@given(instants, st.integers(0, 999_999), st.integers(-14 * 60, 14 * 60))
def test_iso_text_with_an_offset_is_its_instant(second: int, micro: int, minutes: int) -> None:
    moment = EPOCH + timedelta(seconds=second, microseconds=micro)
    try:
        there = moment.astimezone(timezone(timedelta(minutes=minutes)))
    except OverflowError:
        return
    wanted = second * 10**6 + micro
    for text in (there.isoformat(), there.isoformat(" "), moment.isoformat()):
        assert one(text, pa.string()) == wanted
        assert one(text, pa.string(), "seconds") == wanted


iso = modern.map(lambda second: (EPOCH + timedelta(seconds=second)).isoformat())
texts = st.one_of(st.none(), st.text(max_size=6), iso, modern.map(str))


@given(st.lists(texts, min_size=1, max_size=6))
def test_a_text_means_the_same_in_any_company(several: list[str | None]) -> None:
    for unit in (None, "seconds"):
        together = event_micros(pa.array(several, pa.string()), unit).tolist()
        assert together == [one(text, pa.string(), unit) for text in several]


@pytest.mark.parametrize(
    ("value", "kind", "unit", "why"),
    [
        (None, pa.int64(), "seconds", "is null"),
        (2**62, pa.int64(), "seconds", "beyond the years 1 to 9999 in seconds"),
        (float("nan"), pa.float64(), "seconds", "beyond the years"),
        (float("inf"), pa.float64(), "nanoseconds", "beyond the years"),
        ("2026-03-02T10:00:00", pa.string(), None, "has no time zone"),
        ("soon", pa.string(), None, "is no ISO 8601 text"),
        ("1772445600", pa.string(), None, "is no"),
        ("9" * 40, pa.string(), "seconds", "does not fit 64 bits"),
        ("9" * 18, pa.string(), "seconds", "beyond the years 1 to 9999 in seconds"),
    ],
)
def test_what_is_no_time_says_why(value: Any, kind: Any, unit: str | None, why: str) -> None:
    assert one(value, kind, unit) == BEGINNING
    assert why in why_no_time(value, unit)


@given(st.integers(-(2**63), 2**63 - 1))
def test_nanoseconds_are_cut_to_the_microsecond_before(nanos: int) -> None:
    assert one(nanos, pa.int64(), "nanoseconds") == nanos // 1000
    assert one(nanos, pa.timestamp("ns", "UTC")) == nanos // 1000


def test_a_timestamp_outside_of_the_years_1_to_9999_is_no_event_time() -> None:
    first, last = -62_135_596_800 * 10**6, 253_402_300_800 * 10**6 - 1
    kind = pa.timestamp("us", "UTC")
    assert [one(moment, kind) for moment in (first, last)] == [first, last]
    for moment in (first - 1, last + 1, 2**62, -(2**62)):
        assert one(moment, kind) == BEGINNING
    assert one(None, pa.timestamp("us", "UTC")) == BEGINNING


@given(modern, st.sampled_from(list(PER_SECOND)))
def test_the_likely_unit_is_the_one_that_was_written(second: int, unit: str) -> None:
    assert likely_unit(second * PER_SECOND[unit]) == unit


def test_a_confusion_names_both_units() -> None:
    second = 1_772_445_600
    assert confusion(second * 1000) == "1,000 times too small, such as seconds read as milliseconds"
    assert confusion(second) == "1,000,000 times too small, such as seconds read as microseconds"
    assert "milliseconds" in str(confusion(second * 10**9))
    for written, unit in PER_SECOND.items():
        for read, other in PER_SECOND.items():
            said = str(confusion(second * unit * 10**6 / other))
            factor, kind = (
                max(unit, other) // min(unit, other),
                "small" if unit < other else "large",
            )
            assert said.startswith(f"{factor:,} times too {kind}") or written == read
    assert confusion(0) is None
