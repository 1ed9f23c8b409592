"""Order and median deviation against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.detection.medians import in_order, median_deviation

number = st.integers(-5, 5).map(float) | st.floats(-1e6, 1e6) | st.just(np.inf)


@given(st.lists(number, max_size=12))
def test_numbers_come_in_rising_order(values: list[float]) -> None:
    given_values = np.array(values, float)
    assert in_order(given_values).tolist() == sorted(values)
    assert given_values.tolist() == values


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 200])
def test_few_and_many_numbers_come_in_rising_order(size: int) -> None:
    values = np.random.default_rng(size).integers(0, 40, size) * 1.0
    assert in_order(values).tolist() == sorted(values.tolist())


@given(st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=13))
def test_the_median_deviation_is_the_median_of_the_distances(values: list[float]) -> None:
    ordered = np.array(sorted(values))
    median = float(np.median(ordered))
    expected = float(np.median(np.abs(ordered - median)))
    assert median_deviation(ordered, median) == expected
