"""QARTOD quality tests of readings in time order, as the IOOS reference implementation has them.

Rows are grouped by sensor, and each sensor's rows are in time order. No value is missing.
`starts` holds the first row of each sensor; its last element is the number of rows. `t` is event
time in microseconds, and `x` the value. A test gives each row a flag: GOOD 1, UNKNOWN 2, SUSPECT 3
or FAIL 4. A reading without a value has the flag MISSING 9.

Source: U.S. IOOS, Manual for Real-Time Quality Control of In-situ Temperature and Salinity Data
(QARTOD), version 2.1 (2020).
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
"""Tests in the order of their bits: a reading that fails the first has bit 1, then 2, 4, 8 …"""

Flags = npt.NDArray[np.int8]
# From the least to the greatest weight. GOOD outweighs UNKNOWN because one test that ran is enough.
_ORDER = np.array([MISSING, UNKNOWN, GOOD, SUSPECT, FAIL], np.int8)
_WEIGHT = np.zeros(10, np.int8)
_WEIGHT[_ORDER] = np.arange(5)


def weight_of(flags: Flags) -> Flags:
    """The rank of each flag in the order MISSING, UNKNOWN, GOOD, SUSPECT, FAIL, from 0."""
    return _WEIGHT[flags]


def flag_of(weights: Flags) -> Flags:
    """The flag of each rank: the inverse of `weight_of`."""
    return _ORDER[weights]


def worst(flags: list[Flags]) -> Flags:
    """The roll-up of several tests: for each row the flag with the greatest weight."""
    return flag_of(np.max([weight_of(one) for one in flags], axis=0))


def bit_of(test: str) -> int:
    """The bit that marks a failed test, from its name in REASONS."""
    return 1 << REASONS.index(test)


def _graded(bad: np.ndarray, worse: np.ndarray) -> Flags:
    return np.where(worse, FAIL, np.where(bad, SUSPECT, GOOD)).astype(np.int8)


def gross_range(x: Floats, fail: tuple[float, float], suspect: tuple[float, float] | None) -> Flags:
    """The flags of the gross range test: FAIL outside `fail`, SUSPECT outside `suspect`.

    Args:
        x: values.
        fail: lowest and highest value that the sensor can measure.
        suspect: lowest and highest expected value; None for no such limit.
    """
    low, high = suspect or fail
    return _graded((x < low) | (x > high), (x < fail[0]) | (x > fail[1]))


def spike(
    x: Floats, starts: Int64s, suspect: float, fail: float | None, method: str = "average"
) -> Flags:
    """The flags of the spike test. A sensor's first and last value are UNKNOWN.

    Args:
        x: values.
        starts: first row of each sensor, then the number of rows.
        suspect: SUSPECT above this deviation, in the unit of `x`.
        fail: FAIL above this deviation, or None for no such limit.
        method: `average` measures the deviation from the mean of both neighbours; `differential`
            takes the smaller of both steps where they have opposite directions, else 0.
    """
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
    """The flags of the rate of change test. A sensor's first value is UNKNOWN.

    Args:
        t: event times, microseconds.
        x: values.
        starts: first row of each sensor, then the number of rows.
        per_second: SUSPECT where the value changes faster, in the unit of `x` per second.
    """
    found = np.full(len(x), GOOD, np.int8)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.abs(np.diff(x)) / (np.diff(t) / 1e6)
    found[1:][rate > per_second] = SUSPECT
    found[starts[:-1]] = UNKNOWN
    return found


def flat_line(
    t: Int64s, x: Floats, starts: Int64s, tolerance: float, suspect: int, fail: int | None
) -> Flags:
    """The flags of the flat line test.

    A row is UNKNOWN until its sensor has values for the whole `suspect` time. A value that is alone
    in that time is GOOD.

    Args:
        t: event times, microseconds.
        x: values.
        starts: first row of each sensor, then the number of rows.
        tolerance: values are flat where their range is less, in the unit of `x`; 0 means equal.
        suspect: SUSPECT where the values are flat for this time, microseconds.
        fail: FAIL where the values are flat for this time, microseconds, or None for no such limit.
    """
    ranges = [np.empty(len(x)) for _ in range(2)]
    for span, found in zip((suspect, suspect if fail is None else fail), ranges, strict=True):
        _range_before(t, x, starts, span, found)
    flat = [found < tolerance if tolerance > 0 else found == 0 for found in ranges]
    flags = _graded(flat[0], flat[1] if fail is not None else np.zeros(len(x), bool))
    flags[np.isnan(ranges[0])] = UNKNOWN
    return flags


@compiled
def _range_before(t: Int64s, x: Floats, starts: Int64s, span: int, found: Floats) -> None:
    """Write the range (maximum less minimum) of each row's last `span` to `found`.

    NaN where the sensor's first value is more recent than `span`; infinite for one value alone.
    """
    least, most = np.empty(len(x), np.int64), np.empty(len(x), np.int64)
    for run in range(len(starts) - 1):
        first = starts[run]
        # Candidates for the minimum and the maximum, as two monotonic queues over the window.
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
    """The flags of the stuck test: SUSPECT from the `count`-th consecutive identical value on."""
    at = np.arange(len(x))
    new = np.r_[True, x[1:] != x[:-1]][: len(x)]
    new[starts[:-1]] = True
    since = at - np.maximum.accumulate(np.where(new, at, 0)) if len(x) else at
    return _graded(since + 1 >= count, np.zeros(len(x), bool))


def last_equal(x: Floats, starts: Int64s, count: int) -> np.ndarray:
    """The rows of each sensor that the stuck test of later rows depends on: a bool a row.

    These are its last equal values, at most `count` of them, and the value before them.
    """
    at = np.arange(len(x))
    new = np.r_[True, x[1:] != x[:-1]][: len(x)]
    new[starts[:-1]] = True
    sizes = np.diff(starts)
    begins = np.maximum.accumulate(np.where(new, at, 0)) if len(x) else at
    ours, ends = np.repeat(begins[starts[1:] - 1], sizes), np.repeat(starts[1:], sizes)
    kept: np.ndarray = (at >= ours - 1) & (ends - at <= count + 1)
    return kept


@compiled
def mark_extremes(
    t: Int64s, x: Floats, starts: Int64s, span: int, kept: npt.NDArray[np.bool_]
) -> None:
    """Mark in `kept` the rows of each sensor that the flat line test of later rows depends on.

    These are its first row, and the rows within `span` of its last one that no later value equals
    or exceeds on one side: only they can be the least or the greatest value of a later span.
    """
    for run in range(len(starts) - 1):
        least, most = np.inf, -np.inf
        for row in range(starts[run + 1] - 1, starts[run] - 1, -1):
            if t[row] < t[starts[run + 1] - 1] - span:
                break
            if x[row] < least or x[row] > most or row == starts[run + 1] - 1:
                kept[row] = True
            least, most = min(least, x[row]), max(most, x[row])
        kept[starts[run]] = True


def time_gap(t: Int64s, starts: Int64s, longest: int) -> Flags:
    """The flags of the time gap test. A sensor's first reading is UNKNOWN.

    Args:
        t: event times, microseconds.
        starts: first row of each sensor, then the number of rows.
        longest: SUSPECT where the previous reading is older, microseconds.
    """
    found = np.full(len(t), GOOD, np.int8)
    found[1:][np.diff(t) > longest] = SUSPECT
    found[starts[:-1]] = UNKNOWN
    return found


def delay(t: Int64s, watermark: Int64s, longest: int) -> Flags:
    """The flags of the delay test.

    Args:
        t: event times, microseconds.
        watermark: watermark of each row's partition at its offset, microseconds.
        longest: SUSPECT where the watermark is further ahead of the event time, microseconds.
    """
    return _graded(watermark - t > longest, np.zeros(len(t), bool))
