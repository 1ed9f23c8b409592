"""Means, deviations and quantiles of few, equal or close values are what a reader computes."""

from __future__ import annotations

import itertools
import math
import statistics
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.aggregation.accumulators import ACCUMULATORS
from tocsin.kernels.aggregation.histograms import (
    KEPT_VALUES,
    RELATIVE_ERROR,
    quantile,
    represented,
)
from tocsin.kernels.expressions import parse
from tocsin.parts.registry import find
from tocsin.steps.aggregate.measures import Measure, Measures

START, MINUTE = 1_700_000_040_000_000, 60_000_000

number = st.floats(-1e9, 1e9, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-9)
# Values that differ in their last digits, such as a sensor's around 20.1.
close = st.builds(
    lambda base, steps: [base + step * math.ulp(base) for step in steps],
    st.sampled_from([0.1, 10.0, 20.1, 1e9 + 0.1, -273.15]),
    st.lists(st.integers(0, 3), min_size=1, max_size=80),
)
series = st.lists(number, min_size=1, max_size=80) | close


def measured(text: str, values: list[float], cut: int = 0) -> Any:
    """The result over one window of a minute. The rows before `cut` are folded alone."""
    name, _, q = text.partition(" ")
    aggregation = find("aggregations", name)(**({"q": float(q)} if q else {}))
    measures = Measures([Measure("result", aggregation, parse("value"), pa.float64())])
    schema = pa.schema(measures.partial_fields)
    times = START + np.arange(len(values)) * (MINUTE // (len(values) + 1))
    parts = []
    cut = min(cut, len(values))
    for a, b in ((0, cut), (cut, len(values))):
        rows = pa.record_batch({"value": pa.array(values[a:b], pa.float64())})
        folded = measures.fold(rows, times[a:b], np.zeros(b - a, np.int64), 1)
        parts.append(pa.RecordBatch.from_arrays(folded, schema=schema))
    both = pa.concat_batches(parts)
    merged = measures.merge(both, np.zeros(2, np.int64), 1)
    whole = pa.RecordBatch.from_arrays(merged, schema=schema)
    start = np.array([START])
    return measures.finish(whole, start, start + MINUTE)[0][0].as_py()


@pytest.mark.parametrize("name", ["mean", "time_weighted_mean"])
@given(series)
def test_a_mean_lies_between_the_smallest_and_the_greatest_value(
    name: str, values: list[float]
) -> None:
    assert min(values) <= measured(name, values, len(values) // 2) <= max(values)


@given(series)
def test_a_mean_is_the_nearest_double_or_its_neighbour(values: list[float]) -> None:
    exact = sum(map(Fraction, values)) / len(values)
    found = Fraction(measured("mean", values))
    assert abs(found - exact) <= Fraction(math.ulp(float(exact)))


@pytest.mark.parametrize("value", [0.1, 10.0, 20.1, -273.15, 1e9 + 0.1, 1e-9, 1e200])
@pytest.mark.parametrize("size", [2, 3, 7, 1000])
def test_equal_values_have_their_value_as_mean_and_quantile_and_no_spread(
    value: float, size: int
) -> None:
    values = [value] * size
    assert measured("mean", values, 1) == value
    assert measured("time_weighted_mean", values, 1) == value
    for q in (0, 0.01, 0.5, 0.95, 1):
        assert measured(f"quantile {q}", values, 1) == value
    assert measured("slope", values, 1) == 0
    if value < 1e150:  # its square is a double
        assert measured("std", values, 1) == 0


@given(series)
def test_a_deviation_is_zero_for_equal_values_only_and_at_most_half_the_span(
    values: list[float],
) -> None:
    found = measured("std", values, len(values) // 2)
    if len(values) < 2:
        assert found is None
        return
    assert (found == 0) == (min(values) == max(values))
    size = len(values)
    span = max(values) - min(values)
    assert found <= span / 2 * math.sqrt(size / (size - 1)) * (1 + 1e-12)


@given(st.lists(st.integers(-1000, 1000).map(lambda n: n / 10), min_size=2, max_size=60))
def test_a_deviation_equals_the_exact_one(values: list[float]) -> None:
    exact = math.sqrt(statistics.variance(map(Fraction, values)))
    assert measured("std", values) == pytest.approx(exact, rel=1e-12, abs=0)


@given(st.lists(number, min_size=1, max_size=KEPT_VALUES), st.integers(0, 1000))
def test_a_quantile_of_few_values_is_exact(values: list[float], thousandths: int) -> None:
    rank = max(math.ceil(Fraction(thousandths, 1000) * len(values)), 1)
    found = measured(f"quantile {thousandths / 1000}", values, len(values) // 2)
    assert found == sorted(values)[rank - 1]


@given(st.integers(1, 10), st.integers(1, 3000), st.integers(0, 100))
def test_a_quantile_of_many_readings_of_few_values_is_exact(
    few: int, size: int, hundredths: int
) -> None:
    values = [(at % few) / 10 for at in range(size)]
    rank = max(math.ceil(Fraction(hundredths, 100) * size), 1)
    assert measured(f"quantile {hundredths / 100}", values, 7) == sorted(values)[rank - 1]


@given(st.lists(number, min_size=KEPT_VALUES, max_size=200), st.floats(0, 1))
def test_a_quantile_of_many_values_stays_within_them(values: list[float], q: float) -> None:
    found = measured(f"quantile {q}", values, 50)
    assert min(values) <= found <= max(values)
    assert measured("quantile 0", values) == min(values)
    assert measured("quantile 1", values) == max(values)


@given(st.lists(st.floats(allow_nan=False), max_size=30))
def test_representatives_are_close_monotone_and_represent_themselves(values: list[float]) -> None:
    given_values = np.sort(np.array(values, np.float64))
    found = represented(given_values)
    assert (np.diff(found[np.isfinite(found)]) >= 0).all()
    assert (represented(found) == found).all()
    for value, one in zip(given_values.tolist(), found.tolist(), strict=True):
        near = abs(one - value) <= abs(value) * RELATIVE_ERROR * 1.001 + 1e-12
        assert one == value if math.isinf(value) else near


def _folded(values: list[float], cuts: list[int]) -> list[Any]:
    made = ACCUMULATORS["buckets"]
    parts = [
        made.fold(
            pa.array(values[a:b], pa.float64()), np.zeros(b - a, np.int64),
            np.zeros(b - a, np.int64), 1,
        )
        for a, b in itertools.pairwise([0, *cuts, len(values)])
    ]  # fmt: skip
    columns = [pa.concat_arrays(list(column)) for column in zip(*parts, strict=True)]
    return [one.to_pylist() for one in made.merge(columns, np.zeros(len(parts), np.int64), 1)]


@pytest.mark.parametrize("distinct", [1, KEPT_VALUES - 1, KEPT_VALUES, KEPT_VALUES + 1, 300])
@pytest.mark.parametrize("repeated", [1, 3])
def test_the_switch_to_buckets_depends_on_the_distinct_values_only(
    distinct: int, repeated: int
) -> None:
    random = np.random.default_rng(distinct)
    values = [20 + at / 1000 for at in range(distinct)] * repeated
    whole = _folded(values, [])
    assert whole[2] == [distinct > KEPT_VALUES]
    for _ in range(10):
        shuffled = random.permutation(values).tolist()
        cuts = sorted(random.integers(0, len(values), 5).tolist())
        assert _folded(shuffled, cuts) == whole


def test_histograms_of_more_groups_than_one_radix_digit() -> None:
    groups = 70_000
    ids = np.random.default_rng(0).permutation(np.repeat(np.arange(groups), 2))
    values = pa.array(ids.astype(np.float64))
    made = ACCUMULATORS["buckets"]
    found = quantile(made.result(made.fold(values, ids, ids, groups)), 0.5)
    assert found.to_numpy().tolist() == list(range(groups))
