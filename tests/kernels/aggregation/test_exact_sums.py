"""Exact sums against rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.aggregation import exact_sums

# Values of telemetry: thousandths up to 10^9, and integer counters up to 10^15.
values = st.lists(
    st.integers(-(10**12), 10**12).map(lambda n: n / 1000) | st.integers(0, 10**15).map(float),
    min_size=1,
    max_size=60,
)


def total(numbers: list[float]) -> float:
    high, low = np.zeros(1), np.zeros(1)
    exact_sums.add_pairs(
        np.zeros(len(numbers), np.int64), np.array(numbers), np.zeros(len(numbers)), high, low
    )
    return float(high[0] + low[0])


@given(values, st.randoms(use_true_random=False))
def test_a_sum_is_exact_and_rounded_once_in_any_order(numbers: list[float], random: object) -> None:
    shuffled = list(numbers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert total(numbers) == total(shuffled) == math.fsum(numbers)


def test_a_sum_beyond_the_doubles_keeps_no_rest() -> None:
    """So the pair of a group is the same for any batches of its rows."""
    numbers = np.array([0.1, 0.2, math.inf, 0.3, -math.inf, 0.1])
    for count, wanted in ((3, math.inf), (4, math.inf), (6, math.nan)):
        high, low = np.zeros(1), np.zeros(1)
        ids, lows = np.zeros(count, np.int64), np.zeros(count)
        exact_sums.add_pairs(ids, numbers[:count], lows, high, low)
        assert (repr(float(high[0])), low[0]) == (repr(wanted), 0.0)


@given(values)
def test_a_mean_is_rounded_once(numbers: list[float]) -> None:
    high, low = np.zeros(1), np.zeros(1)
    ids, lows = np.zeros(len(numbers), np.int64), np.zeros(len(numbers))
    exact_sums.add_pairs(ids, np.array(numbers), lows, high, low)
    found = float(exact_sums.mean((high, low), np.array([float(len(numbers))]))[0])
    exact = (Fraction(float(high[0])) + Fraction(float(low[0]))) / len(numbers)
    # The nearest double, or one that is hardly farther.
    assert abs(Fraction(found) - exact) <= Fraction(math.ulp(found)) * Fraction(501, 1000)


@given(values)
def test_a_square_is_exact(numbers: list[float]) -> None:
    array = np.array(numbers)
    high, low = np.empty(len(array)), np.empty(len(array))
    exact_sums.squares(array, high, low)
    for x, h, l in zip(numbers, high, low, strict=True):
        if 1e-100 < abs(x) < 1e100:
            assert Fraction(x) ** 2 == Fraction(float(h)) + Fraction(float(l))


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.floats(-1e8, 1e8))
def test_variance_has_no_cancellation_far_from_zero(numbers: list[float], far: float) -> None:
    shifted = [x + far for x in numbers]
    array, ids = np.array(shifted), np.zeros(len(shifted), np.int64)
    pairs = []
    for square in (False, True):
        highs, lows = array.copy(), np.zeros(len(array))
        if square:
            exact_sums.squares(array, highs, lows)
        high, low = np.zeros(1), np.zeros(1)
        exact_sums.add_pairs(ids, highs, lows, high, low)
        pairs.append((high, low))
    found = exact_sums.variance(pairs[0], pairs[1], np.array([float(len(shifted))]), 1)[0]
    mean = sum(map(Fraction, shifted)) / len(shifted)
    exact = float(sum((Fraction(x) - mean) ** 2 for x in shifted) / (len(shifted) - 1))
    assert math.isclose(found, exact, rel_tol=1e-9, abs_tol=1e-15)


def test_compiled_and_plain_code_agree() -> None:
    random = np.random.default_rng(1)
    ids, highs, lows = (
        random.integers(0, 5, 200),
        random.normal(0, 1e6, 200),
        random.normal(0, 1e-10, 200),
    )
    fast, plain = [np.zeros(5), np.zeros(5)], [np.zeros(5), np.zeros(5)]
    exact_sums.add_pairs(ids, highs, lows, *fast)
    exact_sums.add_pairs.plain(ids, highs, lows, *plain)
    assert np.array_equal(fast, plain)


def deviation(values: list[float], groups: np.ndarray) -> float:
    """The deviation of values that are summed in groups, whose sums are summed then."""
    highs, lows = np.array(values), np.zeros(len(values))
    exact_sums.squares(highs, squared := np.empty(len(values)), carried := np.zeros(len(values)))
    sums = []
    for high, low in ((highs, lows), (squared, carried)):
        parts = np.zeros(int(groups.max()) + 1), np.zeros(int(groups.max()) + 1)
        exact_sums.add_pairs(groups, high, low, *parts)
        whole = np.zeros(1), np.zeros(1)
        exact_sums.add_pairs(np.zeros(len(parts[0]), np.int64), *parts, *whole)
        sums.append(whole)
    spans = np.array([max(values) - min(values)])
    count = np.array([float(len(values))])
    return float(exact_sums.standard_deviation(sums[0], sums[1], count, spans, 1)[0])


@given(
    st.integers(1, 3),
    st.lists(st.integers(-9_999, 9_999), min_size=3, max_size=60),
    st.integers(0, 1 << 30),
)
def test_the_deviation_of_values_with_few_decimals_depends_on_no_order(
    decimals: int, numbers: list[int], seed: int
) -> None:
    values = [number / 10**decimals for number in numbers]
    random = np.random.default_rng(seed)
    found = set()
    for _ in range(20):
        order = random.permutation(len(values))
        groups = random.integers(0, random.integers(1, 13), len(values))
        found.add(deviation([values[at] for at in order], groups))
    assert len(found) == 1


def test_a_deviation_half_way_between_two_doubles_depends_on_no_order() -> None:
    """The 50 humidities of an hour whose last digit depended on the rounds of a job."""
    random = np.random.default_rng(0)
    for _ in range(300):
        values = (np.round(random.normal(84, 0.8, 50) * 10) / 10).tolist()
        found = {
            deviation(random.permutation(values).tolist(), random.integers(0, 5, 50))
            for _ in range(5)
        }
        assert len(found) == 1
