"""Results over time series against loops over the points of each group."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.kernels.aggregation.accumulators import ACCUMULATORS
from tocsin.kernels.aggregation.sums_by_time import hourly_means
from tocsin.kernels.aggregation.time_series import (
    counter_rate,
    flat,
    hourly,
    slope,
    time_weighted_mean,
)
from tocsin.kernels.batch import timestamps

SECOND, HOUR = 1_000_000, 3_600_000_000
Points = list[tuple[int, Any]]
point = st.tuples(st.integers(0, 6).map(lambda n: n * SECOND), st.integers(-4, 9).map(float))
groups = st.lists(st.lists(point, max_size=6).map(sorted), max_size=4)


def series(drawn: list[Points], kind: pa.DataType | None = None) -> pa.Array:
    fields = [pa.field("time", pa.int64()), pa.field("value", kind or pa.float64())]
    rows = [[{"time": t, "value": v} for t, v in one] for one in drawn]
    return pa.array(rows, pa.list_(pa.struct(fields)))


def ends(count: int, time: int) -> Any:
    return timestamps(np.full(count, time))


@settings(max_examples=25)
@given(groups)
def test_points_know_their_group(drawn: list[Points]) -> None:
    times, values, owners, lengths = flat(series(drawn))
    every = [(at, *one) for at, points in enumerate(drawn) for one in points]
    assert list(zip(owners.tolist(), times.tolist(), values.tolist(), strict=True)) == every
    assert lengths.tolist() == [len(points) for points in drawn]


@settings(max_examples=25)
@given(groups, st.integers(6, 9))
def test_a_value_holds_until_the_next_point(drawn: list[Points], end: int) -> None:
    found = time_weighted_mean(series(drawn), ends(len(drawn), end * SECOND)).to_pylist()
    for mean, points in zip(found, drawn, strict=True):
        until = [*(time for time, _ in points[1:]), end * SECOND][: len(points)]
        spans = [(Fraction(v), to - t) for (t, v), to in zip(points, until, strict=True)]
        total = sum(span for _, span in spans)
        if total == 0:
            assert mean is None
        else:
            assert mean == pytest.approx(float(sum(v * s for v, s in spans) / total))


@settings(max_examples=25)
@given(groups)
def test_a_slope_is_that_of_least_squares(drawn: list[Points]) -> None:
    # A moment in this century, as in a stream.
    begin = 1_772_409_600 * SECOND
    moved = [[(t + begin, v) for t, v in points] for points in drawn]
    for found, points in zip(slope(series(moved)).to_pylist(), drawn, strict=True):
        t = [Fraction(time, SECOND) for time, _ in points]
        x = [Fraction(value) for _, value in points]
        if len(set(t)) < 2:
            assert found is None
            continue
        middle, mean = sum(t) / len(t), sum(x) / len(x)
        across = sum((a - middle) * (b - mean) for a, b in zip(t, x, strict=True))
        expected = across / sum((a - middle) ** 2 for a in t)
        assert found == pytest.approx(float(expected), abs=1e-12)


def rate(points: Points, bits: int | None) -> float | None:
    """The increase per second, step by step, in whole numbers."""
    elapsed = points[-1][0] - points[0][0] if points else 0
    if elapsed == 0:
        return None
    grown = 0
    for (_, before), (_, now) in pairwise(points):
        if now >= before:
            grown += now - before
        elif bits is not None and 2 ** (bits - 1) < before - now < 2**bits:
            grown += now - before + 2**bits
        else:
            grown += now
    return float(Fraction(grown * SECOND, elapsed))


@settings(max_examples=40)
@given(
    st.sampled_from([None, 4, 5]),
    st.sampled_from([pa.float64(), pa.int64(), pa.uint64()]),
    st.lists(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40)), max_size=6).map(
            lambda rows: sorted(rows, key=lambda row: row[0])
        ),
        max_size=3,
    ),
)
def test_a_counter_grows_resets_and_wraps(
    bits: int | None, kind: pa.DataType, drawn: list[Points]
) -> None:
    moved = [[(t * SECOND, v) for t, v in points] for points in drawn]
    found = counter_rate(series(moved, kind), bits).to_pylist()
    expected = [rate(points, bits) for points in moved]
    for one, other in zip(found, expected, strict=True):
        assert one is None if other is None else one == pytest.approx(other)


@pytest.mark.parametrize(
    ("before", "now", "grown"),
    [
        # A fall by exactly half of 2^4 is a reset; by one more, a wrap.
        (9, 1, 1),
        (10, 1, 7),
        (15, 0, 1),
        # A fall by 2^4 or more is no wrap of such a counter.
        (16, 0, 0),
        (17, 1, 1),
        (17, 2, 1),
    ],
)
def test_a_fall_by_more_than_half_is_a_wrap(before: int, now: int, grown: int) -> None:
    points = series([[(0, before), (SECOND, now)]], pa.int64())
    assert counter_rate(points, 4).to_pylist() == [grown]


def test_a_counter_of_64_bits_wraps_exactly() -> None:
    points = series([[(0, 2**64 - 3), (2 * SECOND, 5)]], pa.uint64())
    assert counter_rate(points, 64).to_pylist() == [4.0]
    assert counter_rate(points).to_pylist() == [2.5]


@pytest.mark.parametrize("hours", [1, 3])
@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(-1, 4 * 4), max_size=8).map(sorted), max_size=3))
def test_an_hour_begins_with_its_first_microsecond(hours: int, drawn: list[list[int]]) -> None:
    # Quarters before the end: those of whole hours are the last of the hour before.
    end = 500 * HOUR
    moved = [[(end - back * HOUR // 4, float(back)) for back in reversed(one)] for one in drawn]
    points = series(moved)
    found = hourly(points, ends(len(drawn), end), hours)
    assert found.shape == (len(drawn), hours)
    times, values, owners, _ = flat(points)
    (sums,) = ACCUMULATORS["sums_by_time"].fold(pa.array(values), times, owners, len(drawn))
    means = hourly_means(sums, ends(len(drawn), end), hours)
    assert means.tolist() == [pytest.approx(row, nan_ok=True) for row in found.tolist()]
    for row, points in zip(found.tolist(), moved, strict=True):
        for back, mean in enumerate(row):
            first, last = end - (back + 1) * HOUR, end - back * HOUR
            here = [value for time, value in points if first <= time < last]
            expected = sum(here) / len(here) if here else float("nan")
            assert mean == pytest.approx(expected, nan_ok=True)


def test_a_mean_stays_within_its_values() -> None:
    # The rounded sum of three tenths, divided by three, exceeds a tenth.
    points = series([[(0, 0.1), (SECOND, 0.1), (2 * SECOND, 0.1)]])
    assert time_weighted_mean(points, ends(1, 3 * SECOND)).to_pylist() == [0.1]
    assert hourly(points, ends(1, HOUR), 1).tolist() == [[0.1]]


def test_a_value_that_holds_for_no_time_does_not_count() -> None:
    points = series([[(0, -50.0), (0, 2.0), (SECOND, 3.0), (2 * SECOND, 99.0)]])
    assert time_weighted_mean(points, ends(1, 2 * SECOND)).to_pylist() == [2.5]
