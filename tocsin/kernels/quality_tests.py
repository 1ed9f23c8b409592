"""Quality tests of readings in order: QARTOD's, as IOOS's reference implementation has them, over runs of many sensors.

Rows are those of one sensor after another, each in order of time, without missing values. `starts`: first row of each sensor,
and at the end the number of rows. Tests give a flag a row: GOOD 1, UNKNOWN 2, SUSPECT 3, FAIL 4; MISSING 9 is for what has no
value.
Source: U.S. IOOS, Manual for Real-Time Quality Control of In-situ Temperature and Salinity Data (QARTOD), version 2.1 (2020).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.compiled import compiled

GOOD, UNKNOWN, SUSPECT, FAIL, MISSING = 1, 2, 3, 4, 9
REASONS = (
    "gross_range",
    "spike",
    "rate_of_change",
    "flat_line",
    "stuck",
    "time_gap",
    "delay",
    "neighbours",
)
"""Tests by the bit that a reading has which did not pass: 1, 2, 4, 8, 16, 32, 64, 128."""

Flags = npt.NDArray[np.int8]
# From the least to the greatest weight; GOOD outweighs UNKNOWN, as one test that could be made is enough.
_ORDER = np.array([MISSING, UNKNOWN, GOOD, SUSPECT, FAIL], np.int8)
_WEIGHT = np.zeros(10, np.int8)
_WEIGHT[_ORDER] = np.arange(5)


def weight_of(flags: Flags) -> Flags:
    """The place of flags in the order MISSING, UNKNOWN, GOOD, SUSPECT, FAIL."""
    return _WEIGHT[flags]


def flag_of(weights: Flags) -> Flags:
    """The inverse of `weight_of`."""
    return _ORDER[weights]


def worst(flags: list[Flags]) -> Flags:
    """The roll-up of several tests: the flag of the greatest weight."""
    return flag_of(np.max([weight_of(one) for one in flags], axis=0))


def bit_of(test: str) -> int:
    """The reason bit of a test."""
    return 1 << REASONS.index(test)


def _graded(bad: np.ndarray, worse: np.ndarray) -> Flags:
    return np.where(worse, FAIL, np.where(bad, SUSPECT, GOOD)).astype(np.int8)


def gross_range(x: Floats, fail: tuple[float, float], suspect: tuple[float, float] | None) -> Flags:
    """FAIL outside of what can be measured, SUSPECT outside of what is expected."""
    low, high = suspect or fail
    return _graded((x < low) | (x > high), (x < fail[0]) | (x > fail[1]))


def spike(
    x: Floats, starts: Int64s, suspect: float, fail: float | None, method: str = "average"
) -> Flags:
    """How far a value is from its neighbours: `average`: from their mean; `differential`: the lesser of both steps where they go
    in opposite directions. A sensor's first and last value are UNKNOWN."""
    size = len(x)
    before, after = np.r_[np.nan, x[:-1]][:size], np.r_[x[1:], np.nan][:size]
    if method == "average":
        jump = np.abs(x - (before + after) / 2)
    else:
        up, down = x - before, x - after
        jump = np.where(up * down > 0, np.minimum(np.abs(up), np.abs(down)), 0.0)
    found = _graded(jump > suspect, jump > (np.inf if fail is None else fail))
    bounds = np.unique(np.r_[starts[:-1], starts[1:] - 1])
    found[bounds[bounds < size]] = UNKNOWN
    return found


def rate_of_change(t: Int64s, x: Floats, starts: Int64s, per_second: float) -> Flags:
    """SUSPECT where the value changed faster than that since the one before; the first one is UNKNOWN. t: microseconds."""
    found = np.full(len(x), GOOD, np.int8)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.abs(np.diff(x)) / (np.diff(t) / 1e6)
    found[1:][rate > per_second] = SUSPECT
    found[starts[:-1]] = UNKNOWN
    return found


def flat_line(
    t: Int64s, x: Floats, starts: Int64s, tolerance: float, suspect: int, fail: int | None
) -> Flags:
    """SUSPECT and FAIL where all values of so long (microseconds) before, this one included, are within `tolerance`.

    UNKNOWN while a sensor has not been heard of for so long; a value that is alone in that time is no line.
    """
    ranges = [np.empty(len(x)) for _ in range(2)]
    for span, found in zip((suspect, suspect if fail is None else fail), ranges, strict=True):
        _range_before(t, x, starts, span, found)
    flat = [found < tolerance if tolerance > 0 else found == 0 for found in ranges]
    flags = _graded(flat[0], flat[1] if fail is not None else np.zeros(len(x), bool))
    flags[np.isnan(ranges[0])] = UNKNOWN
    return flags


@compiled
def _range_before(t, x, starts, span, found):  # type: ignore[no-untyped-def]
    """Greatest less smallest value of the last `span`; NaN where the sensor's first value is not so long ago, infinite for one
    value alone."""
    least, most = np.empty(len(x), np.int64), np.empty(len(x), np.int64)
    for run in range(len(starts) - 1):
        first = starts[run]
        # Rows that may still be the least and the greatest, with those that are out of the window before them.
        head_least, end_least, head_most, end_most, left = 0, 0, 0, 0, first
        for row in range(first, starts[run + 1]):
            while end_least > head_least and x[least[end_least - 1]] >= x[row]:
                end_least -= 1
            least[end_least] = row
            end_least += 1
            while end_most > head_most and x[most[end_most - 1]] <= x[row]:
                end_most -= 1
            most[end_most] = row
            end_most += 1
            while t[least[head_least]] < t[row] - span:
                head_least += 1
            while t[most[head_most]] < t[row] - span:
                head_most += 1
            while t[left] < t[row] - span:
                left += 1
            if t[first] > t[row] - span:
                found[row] = np.nan
            elif left == row:
                found[row] = np.inf
            else:
                found[row] = x[most[head_most]] - x[least[head_least]]


def stuck(x: Floats, starts: Int64s, count: int) -> Flags:
    """SUSPECT from the value on that is the same for the `count`-th time in a row."""
    at = np.arange(len(x))
    new = np.r_[True, x[1:] != x[:-1]][: len(x)]
    new[starts[:-1]] = True
    since = at - np.maximum.accumulate(np.where(new, at, 0)) if len(x) else at
    return _graded(since + 1 >= count, np.zeros(len(x), bool))


def time_gap(t: Int64s, starts: Int64s, longest: int) -> Flags:
    """SUSPECT where the reading before is longer ago (microseconds); the first one is UNKNOWN."""
    found = np.full(len(t), GOOD, np.int8)
    found[1:][np.diff(t) > longest] = SUSPECT
    found[starts[:-1]] = UNKNOWN
    return found


def delay(t: Int64s, watermark: Int64s, longest: int) -> Flags:
    """SUSPECT where a reading came when its partition's watermark had passed it by longer (microseconds)."""
    return _graded(watermark - t > longest, np.zeros(len(t), bool))
