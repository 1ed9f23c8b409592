"""Kernels of detectors against plain oracles, and the detector that is made of them."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.columns.detection.least_squares import learn, predict
from tocsin.columns.detection.profiles import learn_profile, profile_at
from tocsin.columns.detection.tails import TAIL, tail_surprise
from tocsin.judging.judge import raises, scored
from tocsin.judging.series import Labelled
from tocsin.parts.finder import find

DAY = 86_400.0


def test_recursive_least_squares_is_least_squares() -> None:
    random = np.random.default_rng(1)
    features = random.normal(size=(200, 3))
    y = features @ np.array([1.0, -2.0, 0.5]) + 0.1 * random.normal(size=200)
    weights, covariance, memory = np.zeros(3), np.eye(3).ravel() * 10, 0.98
    for row, target in zip(features, y, strict=True):
        learn(weights, covariance, row, target - predict(weights, row), memory, np.empty(3))
    share = memory ** np.arange(199, -1, -1)
    normal = features.T @ (features * share[:, None]) + np.eye(3) * memory**200 / 10
    assert weights == pytest.approx(np.linalg.solve(normal, features.T @ (y * share)), rel=1e-6)


def test_a_profile_is_the_means_of_its_bins_and_a_line_between_them() -> None:
    means, counts = np.zeros(4), np.zeros(4)
    for value in (1.0, 3.0):
        learn_profile(means, counts, 0.3, value, 10.0)
    learn_profile(means, counts, 0.6, 8.0, 10.0)
    assert means.tolist() == [0, 2, 8, 0]
    assert profile_at(means, counts, 0.375, 99.0) == 2
    assert profile_at(means, counts, 0.5, 99.0) == 5
    assert profile_at(means, counts, 0.875, 99.0) == 99


@pytest.mark.parametrize("name", ["exponential", "pareto"])
def test_surprise_is_the_share_of_what_exceeds_it(name: str) -> None:
    random = np.random.default_rng(2)
    draws = random.exponential(size=60_000) if name == "exponential" else np.log1p(random.pareto(3, 60_000))
    state = np.zeros(TAIL)
    found = np.array([tail_surprise(y, state, 6000.0, 0.01) for y in draws])
    late = found[20_000:]
    for surprise in (2.0, 3.0):
        assert -np.log10((late >= surprise).mean()) == pytest.approx(surprise, abs=0.35)
    assert found[:30].max() == 0


def _series(values: np.ndarray, cadence: float = 300.0) -> Labelled:
    return Labelled("one", 1_772_409_600.0 + np.arange(len(values)) * cadence, values)


def _daily(size: int, seed: int = 3) -> np.ndarray:
    t = np.arange(size) * 300.0
    return 20 + 5 * np.sin(2 * np.pi * t / DAY) + 0.3 * np.random.default_rng(seed).normal(size=size)


@pytest.mark.parametrize("fault", ["spike", "stuck", "level", "noise", "none"])
def test_auto_raises_an_alarm_for_what_anyone_would_see_and_for_nothing_else(fault: str) -> None:
    x = _daily(4032)
    if fault == "spike":
        x[3000:3003] += 12
    elif fault == "stuck":
        x[3000:3150] = x[2999]
    elif fault == "level":
        x[3000:3150] += 8
    elif fault == "noise":
        x[3000:3150] += 4 * np.random.default_rng(4).normal(size=150)
    detector, one = find("detect", "auto")(), _series(x)
    ((scores,), _) = scored(detector, [one])
    found = raises(scores, one.t, detector.clear_below)
    assert found[(found < 3000) | (found >= 3200)].tolist() == []
    assert len(found[(found >= 3000) & (found < 3200)]) == (0 if fault == "none" else 1) or fault in ("noise", "level")
    assert (len(found) > 0) == (fault != "none")


def test_auto_looks_back_only_and_does_not_mind_the_unit() -> None:
    x = _daily(1500)
    x[1000:1004] -= 9
    detector = find("detect", "auto")()
    ((whole,), _) = scored(detector, [_series(x)])
    ((early,), _) = scored(detector, [_series(x[:1100])])
    assert np.array_equal(whole[:1100], early)
    ((other,), _) = scored(detector, [_series(x * 1.8 + 32)])
    assert other == pytest.approx(whole, rel=1e-4, abs=1e-4)
