"""The running tail against a plain account of its rules, number by number."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log10

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.kernels.detection.tails import TAIL, tail_surprise

WARM_UP = 30


@dataclass
class Tail:
    """What the tail has seen: a quantile of 98 %, and the mean excess over it."""

    seen: int = 0
    quantile: float = 0.0
    distance: float = 0.0
    excess: float = 0.0
    exceeded: int = 0

    def surprise(self, y: float, floor: float) -> float:
        """The surprise before anything is learnt."""
        if self.seen < WARM_UP:
            return 0.0
        if y <= self.quantile:
            found = 1.7 * y / max(self.quantile, 1e-9)
        else:
            # An exponential tail: a decade for every ln 10 mean excesses.
            found = 1.7 + (y - self.quantile) / max(self.excess, floor) / log(10)
        return min(found, 3 * log10(self.seen + 1))

    def learn(self, y: float, horizon: float, floor: float) -> None:
        """Learn a number."""
        self.seen += 1
        memory, before, excess = min(self.seen, horizon), self.quantile, max(self.excess, floor)
        apart = min(abs(y - before), 4 * self.distance + 0.01)
        self.distance += (apart - self.distance) / memory
        if self.seen <= WARM_UP:
            if self.seen == 1 or (y > before and self.seen < 10):
                self.quantile = y
            elif y > before:
                self.quantile = (before + y) / 2
            self.excess = self.quantile / 10
            return
        # Up by 98 shares or down by 2: at the 98 % quantile these are in balance.
        share = 0.98 if y > before else -0.02
        self.quantile = max(before + 12 * max(self.distance, 0.001) / memory * share, 1e-6)
        if y > before:
            self.exceeded = min(self.exceeded + 1, 100)
            beyond = y - before
            if self.exceeded > 10:
                beyond = min(beyond, 6 * excess)
            self.excess += (beyond - self.excess) / (self.exceeded + 5)

    def numbers(self) -> list[float]:
        """As the kernel keeps them."""
        return [self.seen, self.quantile, self.distance, self.excess, self.exceeded]


def follow(values: list[float], horizon: float, floor: float) -> tuple[np.ndarray, Tail]:
    """Compare every number's surprise and state; the last state of both."""
    state, tail = np.zeros(TAIL), Tail()
    for y in values:
        expected = tail.surprise(y, floor)
        assert tail_surprise(y, state, horizon, floor) == pytest.approx(expected, rel=1e-9)
        tail.learn(y, horizon, floor)
        assert state.tolist() == pytest.approx(tail.numbers(), rel=1e-9, abs=1e-12)
    return state, tail


some = st.sampled_from([0.0, 0.001, 0.5, 0.5, 1.0, 1.5, 3.0, 40.0])


@settings(max_examples=20)
@given(
    st.lists(some, min_size=25, max_size=60),
    st.sampled_from([1.0, 20.0, 1e6]),
    st.sampled_from([0.01, 0.5]),
)
def test_a_tail_follows_its_rules(values: list[float], horizon: float, floor: float) -> None:
    follow(values, horizon, floor)


def test_many_exceedances_are_limited_and_their_count_is_bounded() -> None:
    # Each is greater than the last, so that all of them exceed the quantile.
    _, tail = follow([0.1] * 31 + [1.0 + 2.0 * at for at in range(130)], 1e6, 0.01)
    assert tail.exceeded == 100


def test_nothing_surprises_before_thirty_numbers() -> None:
    state = np.zeros(TAIL)
    found = [tail_surprise(float(y), state, 100.0, 0.01) for y in [*[1.0] * 29, 50.0, 50.0]]
    assert found[:30] == [0.0] * 30
    assert found[30] > 0


def test_few_numbers_show_no_great_rarity() -> None:
    state = np.zeros(TAIL)
    for _ in range(40):
        tail_surprise(1.0, state, 1e6, 0.01)
    assert tail_surprise(1e9, state, 1e6, 0.01) == pytest.approx(3 * log10(41))


def test_the_quantile_and_the_count_stay_in_their_bounds() -> None:
    state = np.array([1e9, 1e-6, 0.0, 0.1, 0.0])
    tail_surprise(0.0, state, 1.0, 0.01)
    assert state[0] == 1e9
    assert state[1] == 1e-6
