"""Profiles against sums over their bins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.detection.profiles import learn_profile, profile_at


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(-9, 9)), max_size=20),
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_a_bin_learns_its_mean_and_forgets_after_some_values(
    readings: list[tuple[float, int]], bins: int, most: int
) -> None:
    means, counts = np.zeros(bins), np.zeros(bins)
    expected: list[list[float]] = [[0.0, 0.0] for _ in range(bins)]
    for phase, value in readings:
        learn_profile(means, counts, phase, float(value), float(most))
        # The phase 1 is the phase 0 of the next period.
        one = expected[int(phase * bins) % bins]
        one[1] += 1
        weight = 1 / min(one[1], most)
        one[0] = (1 - weight) * one[0] + weight * value
    assert means.tolist() == pytest.approx([mean for mean, _ in expected])
    assert counts.tolist() == [count for _, count in expected]


@pytest.mark.parametrize("bins", [1, 2, 5])
def test_a_profile_is_a_line_between_the_middles_of_its_bins(bins: int) -> None:
    means = np.random.default_rng(bins).normal(size=bins)
    counts = np.full(bins, 3.0)
    middles = (np.arange(-1, bins + 1) + 0.5) / bins
    around = np.r_[means[-1], means, means[0]]
    for phase in np.linspace(0, 1, 41):
        expected = np.interp(phase, middles, around)
        assert profile_at(means, counts, phase, 3.0, 99.0) == pytest.approx(expected)


@pytest.mark.parametrize(("counts", "expected"), [([3, 3], 3.0), ([3, 2], 50.5), ([2, 3], 51.5)])
def test_a_bin_with_too_few_values_counts_as_the_fallback(
    counts: list[int], expected: float
) -> None:
    found = profile_at(np.array([2.0, 4.0]), np.array(counts, float), 0.5, 3.0, 99.0)
    assert found == expected
