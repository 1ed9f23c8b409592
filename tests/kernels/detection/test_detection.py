"""Kernels of detectors, and detectors, against plain oracles."""

from __future__ import annotations

from math import exp, lgamma, log, log1p, pi

import numpy as np
import pytest

from tocsin.evaluation.evaluate import raises, scored
from tocsin.evaluation.labelled_series import Labelled
from tocsin.kernels.detection.least_squares import learn, predict
from tocsin.kernels.detection.profiles import learn_profile, profile_at
from tocsin.kernels.detection.tails import TAIL, tail_surprise
from tocsin.parts.registry import find

DAY = 86_400.0


def test_recursive_least_squares_is_least_squares() -> None:
    random = np.random.default_rng(1)
    features = random.normal(size=(200, 3))
    y = features @ np.array([1.0, -2.0, 0.5]) + 0.1 * random.normal(size=200)
    weights, covariance, memory = np.zeros(3), np.eye(3) * 10, 0.98
    for row, target in zip(features, y, strict=True):
        learn(weights, covariance, row, target - predict(weights, row), memory, np.empty(3))
    share = memory ** np.arange(199, -1, -1)
    normal = features.T @ (features * share[:, None]) + np.eye(3) * memory**200 / 10
    assert weights == pytest.approx(np.linalg.solve(normal, features.T @ (y * share)), rel=1e-6)


def test_a_profile_interpolates_the_means_of_its_bins() -> None:
    means, counts = np.zeros(4), np.zeros(4)
    for value in (1.0, 3.0):
        learn_profile(means, counts, 0.3, value, 10.0)
    learn_profile(means, counts, 0.6, 8.0, 10.0)
    assert means.tolist() == [0, 2, 8, 0]
    assert profile_at(means, counts, 0.375, 1.0, 99.0) == 2
    assert profile_at(means, counts, 0.5, 1.0, 99.0) == 5
    assert profile_at(means, counts, 0.875, 1.0, 99.0) == 99
    assert profile_at(means, counts, 0.625, 2.0, 99.0) == 99


@pytest.mark.parametrize("name", ["exponential", "pareto"])
def test_surprise_is_the_share_of_numbers_that_exceed_it(name: str) -> None:
    random = np.random.default_rng(2)
    draws = (
        random.exponential(size=60_000)
        if name == "exponential"
        else np.log1p(random.pareto(3, 60_000))
    )
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
    return (
        20 + 5 * np.sin(2 * np.pi * t / DAY) + 0.3 * np.random.default_rng(seed).normal(size=size)
    )


@pytest.mark.parametrize("fault", ["spike", "stuck", "level", "noise", "none"])
def test_auto_raises_an_alarm_for_obvious_faults_only(fault: str) -> None:
    x = _daily(4032)
    if fault == "spike":
        x[3000:3003] += 12
    elif fault == "stuck":
        x[3000:3150] = x[2999]
    elif fault == "level":
        x[3000:3150] += 8
    elif fault == "noise":
        x[3000:3150] += 4 * np.random.default_rng(4).normal(size=150)
    detector, one = find("detectors", "auto")(), _series(x)
    ((scores,), _) = scored(detector, [one])
    found = raises(scores, one.t, detector.clear_below)
    assert found[(found < 3000) | (found >= 3200)].tolist() == []
    assert (len(found) > 0) == (fault != "none")


def test_auto_looks_back_only_and_does_not_depend_on_the_unit() -> None:
    x = _daily(1500)
    x[1000:1004] -= 9
    detector = find("detectors", "auto")()
    ((whole,), _) = scored(detector, [_series(x)])
    ((early,), _) = scored(detector, [_series(x[:1100])])
    assert np.array_equal(whole[:1100], early)
    ((other,), _) = scored(detector, [_series(x * 1.8 + 32)])
    assert other == pytest.approx(whole, rel=1e-4, abs=1e-4)


def _scores(
    name: str, values: np.ndarray, cadence: float = 300.0, **settings: object
) -> np.ndarray:
    ((scores,), _) = scored(find("detectors", name)(**settings), [_series(values, cadence)])
    return scores


def test_cusum_is_the_greatest_sum_of_deviations_beyond_the_slack() -> None:
    x = np.random.default_rng(5).normal(size=300)
    x[200:] += 1.5
    mean, deviation = x[:50].mean(), x[:50].std(ddof=1)
    high, expected = np.zeros(2), np.zeros(300)
    for at in range(50, 300):
        unit = (x[at] - mean) / deviation
        high = np.clip(high + np.array([unit, -unit]) - 0.5, 0, 10)
        expected[at] = high.max() / 5
    assert _scores("cusum", x) == pytest.approx(expected)
    assert expected[210:].max() > 1


def test_page_hinkley_restarts_after_each_change() -> None:
    x = np.r_[np.zeros(100), np.full(100, 5.0), np.zeros(100)]
    found = _scores("page_hinkley", x, tolerance=0.1, limit=10.0)
    over = np.flatnonzero(found >= 1)
    assert len(over) == 2
    assert (over[0] - 100, over[1] - 200) == (2, 2)
    # By the definition: the sum so far less its minimum.
    sums = np.cumsum([x[at] - x[: at + 1].mean() - 0.1 for at in range(103)])
    assert found[102] == pytest.approx((sums[-1] - sums.min()) / 10)


def test_a_seasonal_profile_is_judged_after_its_warm_up() -> None:
    x = np.tile([1.0, 2.0, 3.0, 4.0], 30) + 0.1 * np.random.default_rng(1).normal(size=120)
    x[81] = 9.0
    found = _scores("seasonal", x, cadence=DAY / 4, bins=4, warm_up=8)
    assert found[:32].max() == 0
    assert (found >= 1).nonzero()[0].tolist() == [81]
    # A mean and a mean distance of what the bin has held, one by one.
    held, distances = [x[1]], []
    for day in range(1, 20):
        distances.append(abs(x[1 + 4 * day] - np.mean(held)))
        held.append(x[1 + 4 * day])
    assert found[81] == pytest.approx(abs(9.0 - np.mean(held)) / (1.2533 * np.mean(distances)) / 4)


def test_a_change_point_is_found_where_it_is() -> None:
    random = np.random.default_rng(6)
    x = np.r_[random.normal(size=300), 6 + random.normal(size=300)]
    found = _scores("change_point", x)
    over = np.flatnonzero(found >= 1)
    assert set(over) <= set(range(300, 310))
    assert len(over) > 0


def test_the_chances_of_run_lengths_are_those_of_a_plain_recursion() -> None:
    x = np.random.default_rng(7).normal(size=40)
    x[25:] += 4
    found = _scores("change_point", x, longest=60, expected_run=50.0)
    runs: dict[int, tuple[float, list[float]]] = {0: (1.0, [])}
    center = scale = 0.0
    for at, value in enumerate(x):
        distance = value - center
        center += distance / (at + 1)
        scale += (abs(distance) - scale) / (at + 1)
        new: dict[int, tuple[float, list[float]]] = {}
        change = total = 0.0
        for run, (chance, held) in runs.items():
            n = len(held)
            middle = (sum(held) + center) / (n + 1)
            squares = sum((one - np.mean(held)) ** 2 for one in held)
            degrees = n + 1.0
            spread = (squares + max(scale, 1e-9) ** 2) / degrees * (1 + 1 / (n + 1))
            unit = (value - middle) ** 2 / (degrees * spread)
            logarithm = lgamma((degrees + 1) / 2) - lgamma(degrees / 2)
            logarithm -= 0.5 * log(degrees * pi * spread) + (degrees + 1) / 2 * log1p(unit)
            density = exp(logarithm)
            new[run + 1] = (chance * density * 0.98, [*held, value])
            change += chance * density * 0.02
            total += chance * density
        new[0] = (change, [])
        runs = {run: (chance / total, held) for run, (chance, held) in new.items()}
    young = sum(chance for run, (chance, _) in runs.items() if run <= 5)
    assert found[-1] == pytest.approx(young / 0.8, rel=1e-6)


def test_a_discord_is_the_distance_to_the_nearest_shape_of_the_past() -> None:
    t = np.arange(500)
    x = np.sin(2 * np.pi * t / 25) + 0.05 * np.random.default_rng(8).normal(size=500)
    x[400:412] = [-1.0, 1.0] * 6
    found = _scores("discord", x, length=8, past=120, warm_up=100)
    assert np.flatnonzero(found >= 1).min() in range(400, 412)
    assert np.flatnonzero(found >= 1).max() < 430
    mean = size = 0.0
    for at in range(23, 300):
        here = x[at - 7 : at + 1]
        first = max(at - 119, 0)
        shapes = [x[end - 7 : end + 1] for end in range(first + 7, at - 7)]
        nearest = min(
            float(np.sum((shape - here - np.mean(shape - here)) ** 2)) for shape in shapes
        )
        distance = (nearest / 8) ** 0.5
        score = (distance - mean) / (size + 0.0) / 6 if size and at + 1 >= 100 else 0.0
        learnt = min(distance, mean + 6 * size) if score > 1 else distance
        weight = 1 / min(at + 2 - 24, 120)
        before = mean
        mean += weight * (learnt - before)
        size += weight * (abs(learnt - before) - size)
    assert found[299] == pytest.approx(max(score, 0.0), rel=1e-3, abs=1e-4)


def test_half_space_trees_find_a_value_where_none_was() -> None:
    random = np.random.default_rng(9)
    x = np.where(random.random(2000) < 0.5, 0.0, 10.0) + random.normal(size=2000)
    x[1500] = 5.0
    found = _scores("half_space_trees", x, length=1, threshold=3.0)
    assert found[:500].max() == 0
    assert found[1500] >= 1
    assert (np.delete(found, 1500)[500:] >= 1).mean() < 0.03
    again = _scores("half_space_trees", x, length=1, threshold=3.0)
    assert np.array_equal(found, again)
