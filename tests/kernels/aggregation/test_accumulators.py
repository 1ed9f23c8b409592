"""Every accumulator, folded in pieces and merged, against a loop over the values."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.aggregation.accumulators import ACCUMULATORS
from tocsin.kernels.aggregation.distinct_counts import KEPT_MINIMA, estimate_distinct
from tocsin.kernels.aggregation.histograms import RELATIVE_ERROR, quantile

value = (
    st.none()
    | st.floats(-1e6, 1e6)
    | st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 20.0])
)
row = st.tuples(st.integers(0, 3), st.integers(0, 9), value)
pieces = st.lists(st.lists(row, max_size=12), min_size=1, max_size=4)
GROUPS = 4


def accumulated(kernel: str, parts: list[list[tuple[int, int, Any]]]) -> list[Any]:
    """The partial result, one row for each group, folded piece by piece and merged."""
    made = ACCUMULATORS[kernel]
    partials, ids = [], []
    for part in parts:
        values = pa.array([v for _, _, v in part], pa.float64())
        times = np.array([t for _, t, _ in part], np.int64)
        groups = np.array([g for g, _, _ in part], np.int64)
        partials.append(made.fold(values, times, groups, GROUPS))
        ids.append(np.arange(GROUPS))
    columns = [pa.concat_arrays([p[i] for p in partials]) for i in range(len(partials[0]))]
    return made.merge(columns, np.concatenate(ids), GROUPS)


def plain(parts: list[list[tuple[int, int, Any]]]) -> list[list[tuple[int, float]]]:
    """The (time, value) pairs of each group without missing values."""
    found: list[list[tuple[int, float]]] = [[] for _ in range(GROUPS)]
    for part in parts:
        for group, time, number in part:
            if number is not None and not math.isnan(number):
                found[group].append((time, number))
    return found


@given(pieces)
def test_count(parts: list[Any]) -> None:
    assert accumulated("count", parts)[0].to_pylist() == [len(rows) for rows in plain(parts)]


@given(pieces)
def test_sums_by_time(parts: list[Any]) -> None:
    (lists,) = accumulated("sums_by_time", parts)
    for found, rows in zip(lists.to_pylist(), plain(parts), strict=True):
        assert [one["time"] for one in found] == sorted({time for time, _ in rows})
        for one in found:
            values = [value for time, value in rows if time == one["time"]]
            assert one["count"] == len(values)
            total = np.nan if {np.inf, -np.inf} <= set(values) else math.fsum(values)
            assert one["high"] + one["low"] == pytest.approx(total, nan_ok=True)


@given(pieces)
def test_min_and_max(parts: list[Any]) -> None:
    rows = plain(parts)
    assert accumulated("min", parts)[0].to_pylist() == [
        min((v for _, v in r), default=None) for r in rows
    ]
    assert accumulated("max", parts)[0].to_pylist() == [
        max((v for _, v in r), default=None) for r in rows
    ]


@given(pieces)
def test_sum(parts: list[Any]) -> None:
    found = ACCUMULATORS["sum"].result(accumulated("sum", parts)).to_pylist()
    for came, rows in zip(found, plain(parts), strict=True):
        values = [v for _, v in rows]
        if float("inf") in values and -float("inf") in values:
            assert math.isnan(came)
        elif any(map(math.isinf, values)):
            assert came == sum(values)
        else:
            assert came == math.fsum(values)


@given(pieces)
def test_first_and_last(parts: list[Any]) -> None:
    rows = plain(parts)
    assert accumulated("first", parts)[1].to_pylist() == [min(r)[1] if r else None for r in rows]
    assert accumulated("last", parts)[1].to_pylist() == [
        min(r, key=lambda p: (-p[0], p[1]))[1] if r else None for r in rows
    ]


@given(pieces)
def test_points(parts: list[Any]) -> None:
    found = accumulated("points", parts)[0].to_pylist()
    assert [[(p["time"], p["value"]) for p in group] for group in found] == [
        sorted(rows) for rows in plain(parts)
    ]


@given(pieces, st.floats(0, 1))
def test_a_quantile_is_close_to_the_value_of_its_rank(parts: list[Any], q: float) -> None:
    found = quantile(ACCUMULATORS["buckets"].result(accumulated("buckets", parts)), q).to_pylist()
    for came, rows in zip(found, plain(parts), strict=True):
        values = sorted(v for _, v in rows)
        if not values:
            assert came is None
            continue
        exact = values[max(math.ceil(q * len(values)), 1) - 1]
        assert (
            came == exact
            if math.isinf(exact)
            else abs(came - exact) <= abs(exact) * RELATIVE_ERROR * 1.001 + 1e-12
        )


@given(pieces)
def test_a_distinct_count_is_exact_for_few_values(parts: list[Any]) -> None:
    found = estimate_distinct(accumulated("distinct", parts)[0]).to_pylist()
    assert found == [len({v for _, v in rows}) for rows in plain(parts)]


@pytest.mark.parametrize("many", [KEPT_MINIMA - 1, KEPT_MINIMA, 20_000])
def test_a_distinct_count_of_many_values_is_close(many: int) -> None:
    part = [(0, 0, float(n)) for n in range(many)] * 2
    found = estimate_distinct(accumulated("distinct", [part[:many], part[many:]])[0]).to_pylist()[0]
    assert abs(found - many) <= many * (0 if many < KEPT_MINIMA else 0.1)
