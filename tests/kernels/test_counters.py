"""Counters of 64 bits against Python's integers, which have no limit."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.aggregation.accumulators import ACCUMULATORS
from tocsin.kernels.counters import beyond_wrap, difference
from tocsin.kernels.expressions import evaluate, parse, type_of
from tocsin.steps.aggregate.measures import Measures, measure

SECOND = 1_000_000
RANGES = {"int64": (-(2**63), 2**63 - 1), "uint64": (0, 2**64 - 1)}
edges = [0, 1, 2**32 - 1, 2**53, 2**53 + 1, 2**60, 2**63 - 1, 2**63, 2**64 - 1]


def counters(kind: str) -> st.SearchStrategy[int]:
    low, high = RANGES[kind]
    return st.integers(low, high) | st.sampled_from([one for one in edges if one <= high])


@pytest.mark.parametrize("kind", RANGES)
@given(st.data())
def test_differences_of_integers_are_exact(kind: str, data: st.DataObject) -> None:
    before, now = data.draw(counters(kind)), data.draw(counters(kind))
    fell, size = difference(np.array([before], kind), np.array([now], kind))
    assert (bool(fell[0]), int(size[0])) == (now < before, abs(now - before))
    if now < before:
        assert beyond_wrap(size, 64.0)[0] == float(2**64 - abs(now - before))


def measured(
    text: str, values: list[int | None], kind: Any, seconds: list[int] | None = None
) -> Any:
    """The result of a measure of `octets`, one value each 10 seconds, each folded alone."""
    schema = pa.schema([pa.field("octets", kind)])
    measures = Measures([measure("result", text, schema)])
    partial = pa.schema(measures.partial_fields)
    one = np.zeros(1, np.int64)
    times = seconds or [10 * at for at in range(len(values))]
    parts = [
        pa.RecordBatch.from_arrays(
            measures.fold(
                pa.record_batch([pa.array([value], kind)], schema=schema),
                np.array([time * SECOND]), one, 1,
            ),
            schema=partial,
        )
        for value, time in zip(values, times, strict=True)
    ]  # fmt: skip
    merged = measures.merge(pa.concat_batches(parts), np.zeros(len(parts), np.int64), 1)
    whole = pa.RecordBatch.from_arrays(merged, schema=partial)
    return measures.finish(whole, one, one + 60 * SECOND)[0][0].as_py()


@pytest.mark.parametrize(
    ("values", "text", "expected"),
    [
        # Beyond 2^53 a double loses the last digits: the rate was 0.
        ([2**60 + 10 * at for at in range(4)], "rate(octets)", 1.0),
        ([100, 200, 10, 20], "rate(octets)", 4.0),
        ([100, 100, 100, 100], "rate(octets)", 0.0),
        ([4294967200, 4294967290, 20, 120], "rate(octets)", 7.0),
        ([4294967200, 4294967290, 20, 120], "rate(octets, bits=32)", (90 + 26 + 100) / 30),
        # With a width, a fall by less than half of it is still a reset.
        ([100, 200, 10, 20], "rate(octets, bits=32)", 4.0),
        ([100, 200, 10, 20], "rate(octets, bits=64)", 4.0),
        ([2**63 - 20, None, 2**63 - 10, 20], "rate(octets)", 1.0),
    ],
)
def test_rates(values: list[int | None], text: str, expected: float) -> None:
    fits_a_double = max(value or 0 for value in values) <= 2**53
    for kind in [pa.int64(), pa.uint64(), *([pa.float64()] if fits_a_double else [])]:
        assert measured(text, values, kind) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("values", "bits", "expected"),
    [
        ([2**64 - 11, 2**64 - 1, 9], 64, 1.0),  # a wrap
        ([2**64 - 11, 2**64 - 1, 10], None, 1.0),  # the same as a reset: grew by 10 of 11
        ([2**64 - 1, 0], 64, 0.1),
        ([2**63 + 2**53 + 1, 2**63 + 2**53 + 11], 64, 1.0),
        ([2**64 - 1, 2**64 - 1], None, 0.0),
    ],
)
def test_rates_near_the_end_of_64_bits(
    values: list[int], bits: int | None, expected: float
) -> None:
    text = "rate(octets)" if bits is None else f"rate(octets, bits={bits})"
    assert measured(text, list(values), pa.uint64()) == expected


@pytest.mark.parametrize("kind", RANGES)
@given(st.data())
def test_a_rate_is_the_exact_one(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(counters(kind), min_size=2, max_size=8))
    found = measured("rate(octets)", list(values), pa.type_for_alias(kind))
    steps = [b - a if b >= a else b for a, b in itertools.pairwise(values)]
    size = sum(map(abs, steps))
    exact = Fraction(sum(steps), 10 * len(steps))
    assert abs(Fraction(found) - exact) <= Fraction(size, 10 * len(steps)) * 2**-50


def test_lost_sequence_numbers_and_reasons_beyond_a_double() -> None:
    numbers: list[int | None] = [2**60, 2**60 + 1, 2**60 + 3, 2**60 + 3]
    assert measured("loss(octets)", numbers, pa.int64()) == 0.25
    assert measured("reasons(octets)", [2**60, 1, None], pa.int64()) == 2**60 + 1


def test_points_of_an_aggregation_that_asks_for_doubles_stay_doubles() -> None:
    folded = ACCUMULATORS["points"].fold(
        pa.array([2**60 + 1]), np.zeros(1, np.int64), np.zeros(1, np.int64), 1
    )
    assert folded[0].type.value_type.field("value").type == pa.float64()


@pytest.mark.parametrize("kind", RANGES)
def test_an_increase_between_polls_is_exact(kind: str) -> None:
    top = RANGES[kind][1]
    # A step, a wrap, a restart, a stale answer, and a missing counter.
    now = [top, 10, 10, 7, None]
    before = [top - 3, 2**64 - 6 if kind == "uint64" else 5, top, 7, 1]
    rows = pa.record_batch(
        {
            "now": pa.array(now, pa.type_for_alias(kind)),
            "before": pa.array(before, pa.type_for_alias(kind)),
            "uptime": [60.0, 60.0, 5.0, 60.0, 60.0],
            "uptime_before": [30.0, 30.0, 90.0, 60.0, 30.0],
        }
    )
    expression = parse("counter_increase(now, before, 64, uptime, uptime_before)")
    assert type_of(expression, rows.schema) == pa.float64()
    found = evaluate(expression, rows).to_pylist()
    assert found == [3.0, 16.0 if kind == "uint64" else 5.0, 10.0, None, None]
