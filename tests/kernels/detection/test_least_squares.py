"""One step of recursive least squares against its matrix form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.detection.least_squares import learn, predict


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=6))
def test_a_prediction_is_the_weighted_sum(pairs: list[tuple[int, int]]) -> None:
    weights, features = (np.array([one[at] for one in pairs], float) for at in (0, 1))
    assert predict(weights, features) == sum(w * f for w, f in pairs)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("memory", [0.5, 0.98, 1.0])
def test_a_step_is_that_of_the_matrix_form(size: int, memory: float) -> None:
    random = np.random.default_rng(size)
    root = random.normal(size=(size, size))
    covariance, weights = root @ root.T, random.normal(size=size)
    features, error = random.normal(size=size), 0.7
    gain = covariance @ features / (memory + features @ covariance @ features)
    expected = weights + gain * error
    left = (covariance - np.outer(gain, features @ covariance)) / memory
    given_features = features.copy()
    learn(weights, covariance, features, error, memory, np.full(size, np.nan))
    assert weights == pytest.approx(expected)
    assert covariance == pytest.approx(left)
    assert features.tolist() == given_features.tolist()


@pytest.mark.parametrize(("trace", "share"), [(9998.0, 1.0), (10_000.0, 1.0), (10_002.0, 0.5)])
def test_a_covariance_that_grows_too_large_is_halved(trace: float, share: float) -> None:
    covariance = np.diag([trace / 2, trace / 2])
    covariance[0, 1] = covariance[1, 0] = 3.0
    expected = covariance * share
    # Features of 0 excite nothing: only the halving changes the covariance.
    learn(np.zeros(2), covariance, np.zeros(2), 1.0, 1.0, np.empty(2))
    assert covariance.tolist() == expected.tolist()
