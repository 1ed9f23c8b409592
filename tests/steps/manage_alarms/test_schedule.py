"""Hours in words: which days, from when to when."""

from __future__ import annotations

import datetime as dt
from itertools import product

import pytest
from pydantic import ValidationError

from tocsin.steps.manage_alarms.schedule import Schedule, _span

DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def days_of(text: str) -> list[int]:
    return sorted(_span(text)[0])


def test_hours_without_days_are_of_every_day() -> None:
    assert days_of("07:00-19:00") == list(range(7))


@pytest.mark.parametrize("day", range(7))
def test_a_day_is_itself(day: int) -> None:
    assert days_of(f"{DAYS[day]} 07:00-19:00") == [day]


@pytest.mark.parametrize(("first", "last"), list(product(range(7), range(7))))
def test_days_go_from_the_first_to_the_last_and_over_the_end_of_the_week(
    first: int, last: int
) -> None:
    wanted, day = [first], first
    while day != last:
        day = (day + 1) % 7
        wanted.append(day)
    assert days_of(f"{DAYS[first]}-{DAYS[last]} 07:00-19:00") == sorted(wanted)


@pytest.mark.parametrize(
    ("text", "opens", "closes"),
    [("00:00-24:00", (0, 0), (0, 0)), ("22:00-06:30", (22, 0), (6, 30))],
)
def test_times(text: str, opens: tuple[int, int], closes: tuple[int, int]) -> None:
    assert _span(text)[1:] == (dt.time(*opens), dt.time(*closes))


@pytest.mark.parametrize("text", ["Mon-Fry 07:00-19:00", "24:00-25:00", "7-19", "Mon 19:60-20:00"])
def test_what_is_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"are no hours|no clock shows"):
        Schedule(time_zone="UTC", active=[text])
