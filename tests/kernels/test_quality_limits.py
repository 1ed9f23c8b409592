"""Quality tests at, above and below their limits, and without any row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tocsin.kernels import quality_tests
from tocsin.kernels.quality_tests import FAIL, GOOD, MISSING, SUSPECT, UNKNOWN

SECOND = 1_000_000
NO_ROWS = np.zeros(0), np.zeros(1, np.int64)
ONE_SENSOR = np.array([0, 3])
INF = np.inf


def flags(found: Any) -> list[int]:
    assert found.dtype == np.int8
    listed: list[int] = found.tolist()
    return listed


def test_a_limit_itself_is_within_the_range() -> None:
    x = np.array([-4.1, -4.0, -0.1, 0.0, 8.0, 8.1, 10.0, 10.1, INF, -INF])
    found = flags(quality_tests.gross_range(x, (-4.0, 10.0), (0.0, 8.0)))
    assert found == [
        FAIL, SUSPECT, SUSPECT, GOOD, GOOD, SUSPECT, SUSPECT, FAIL, FAIL, FAIL,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("middle", "average", "differential"),
    [
        (1.0, GOOD, GOOD),
        (1.5, SUSPECT, SUSPECT),
        (-1.5, SUSPECT, SUSPECT),
        (3.0, SUSPECT, SUSPECT),
        (3.5, FAIL, FAIL),
        (-3.5, FAIL, FAIL),
    ],
)
def test_a_spike_exceeds_its_limit(middle: float, average: int, differential: int) -> None:
    x = np.array([0.0, middle, 0.0])
    for method, flag in (("average", average), ("differential", differential)):
        found = flags(quality_tests.spike(x, ONE_SENSOR, 1.0, 3.0, method))
        assert found == [UNKNOWN, flag, UNKNOWN]
        found = flags(quality_tests.spike(x, ONE_SENSOR, 1.0, None, method))
        assert found == [UNKNOWN, SUSPECT if flag == FAIL else flag, UNKNOWN]


@pytest.mark.parametrize("x", [[0.0, 9.0, 18.0], [18.0, 9.0, 0.0], [0.0, 9.0, 9.0]])
def test_a_slope_is_no_differential_spike(x: list[float]) -> None:
    found = quality_tests.spike(np.array(x), ONE_SENSOR, 1.0, 3.0, "differential")
    assert flags(found) == [UNKNOWN, GOOD, UNKNOWN]


def test_the_smaller_step_decides_about_a_differential_spike() -> None:
    for x in ([0.0, 9.0, 7.0], [7.0, 9.0, 0.0]):
        found = quality_tests.spike(np.array(x), ONE_SENSOR, 1.0, 3.0, "differential")
        assert flags(found) == [UNKNOWN, SUSPECT, UNKNOWN]


@pytest.mark.parametrize(("step", "flag"), [(1.9, GOOD), (2.0, GOOD), (2.1, SUSPECT)])
def test_a_rate_exceeds_its_limit_in_both_directions(step: float, flag: int) -> None:
    t, x = np.array([0, 2, 4]) * SECOND, np.array([0.0, 2 * step, 0.0])
    found = quality_tests.rate_of_change(t, x, ONE_SENSOR, 2.0)
    assert flags(found) == [UNKNOWN, flag, flag]


def test_two_values_of_one_moment_change_infinitely_fast_or_not_at_all() -> None:
    t = np.zeros(3, np.int64)
    found = quality_tests.rate_of_change(t, np.array([1.0, 1.0, 2.0]), ONE_SENSOR, 1e9)
    assert flags(found) == [UNKNOWN, GOOD, SUSPECT]


@pytest.mark.parametrize(("longest", "flag"), [(4, SUSPECT), (5, GOOD), (6, GOOD)])
def test_a_gap_and_a_delay_exceed_their_limit(longest: int, flag: int) -> None:
    t = np.array([10, 15, 15])
    assert flags(quality_tests.time_gap(t, ONE_SENSOR, longest)) == [UNKNOWN, flag, GOOD]
    assert flags(quality_tests.delay(t, t + 5, longest)) == [flag] * 3
    assert flags(quality_tests.delay(t, t - 50, longest)) == [GOOD] * 3


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [SUSPECT] * 6),
        (2, [GOOD, SUSPECT, GOOD, SUSPECT, SUSPECT, GOOD]),
        (3, [GOOD, GOOD, GOOD, GOOD, SUSPECT, GOOD]),
        (4, [GOOD] * 6),
    ],
)
def test_a_sensor_is_stuck_from_the_last_of_some_identical_values(
    count: int, expected: list[int]
) -> None:
    # The second sensor begins with the value with which the first ends.
    x, starts = np.array([7.0, 7.0, 7.0, 7.0, 7.0, 8.0]), np.array([0, 2, 6])
    assert flags(quality_tests.stuck(x, starts, count)) == expected


@pytest.mark.parametrize(
    ("tolerance", "expected"), [(0.0, GOOD), (0.4, GOOD), (0.5, GOOD), (0.6, SUSPECT)]
)
def test_values_are_flat_where_their_range_is_less_than_the_tolerance(
    tolerance: float, expected: int
) -> None:
    t, x = np.array([0, 1, 2]) * SECOND, np.array([1.0, 1.5, 1.0])
    found = quality_tests.flat_line(t, x, ONE_SENSOR, tolerance, 2 * SECOND, None)
    assert flags(found) == [UNKNOWN, UNKNOWN, expected]


def test_without_a_tolerance_equal_values_are_flat() -> None:
    t, x = np.array([0, 1, 2, 9]) * SECOND, np.array([1.0, 1.0, 1.0, 1.0])
    starts = np.array([0, 4])
    found = quality_tests.flat_line(t, x, starts, 0.0, SECOND, 2 * SECOND)
    # The last value is alone in its time.
    assert flags(found) == [UNKNOWN, SUSPECT, FAIL, GOOD]
    found = quality_tests.flat_line(t, x, starts, 0.0, SECOND, None)
    assert flags(found) == [UNKNOWN, SUSPECT, SUSPECT, GOOD]


def test_no_row_has_no_flag() -> None:
    x, starts = NO_ROWS
    t = x.astype(np.int64)
    for found in (
        quality_tests.gross_range(x, (0.0, 1.0), None),
        quality_tests.spike(x, starts, 1.0, 2.0),
        quality_tests.spike(x, starts, 1.0, 2.0, "differential"),
        quality_tests.stuck(x, starts, 2),
        quality_tests.flat_line(t, x, starts, 0.0, SECOND, None),
        quality_tests.delay(t, t, 1),
    ):
        assert flags(found) == []


def test_ranks_go_from_missing_to_fail() -> None:
    ordered = np.array([MISSING, UNKNOWN, GOOD, SUSPECT, FAIL], np.int8)
    assert quality_tests.weight_of(ordered).tolist() == [0, 1, 2, 3, 4]
    assert quality_tests.flag_of(np.arange(5, dtype=np.int8)).tolist() == ordered.tolist()
    for at, flag in enumerate(ordered):
        found = [int(quality_tests.worst([ordered, np.full(5, flag)])[other]) for other in range(5)]
        assert found == [int(ordered[max(at, other)]) for other in range(5)]
