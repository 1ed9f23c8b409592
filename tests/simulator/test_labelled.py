"""Labelled series are reproducible, and differ from their clean version where labels begin."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.simulator.labelled import ANOMALIES, inject, simulated
from tocsin.simulator.telemetry import KINDS


def test_series_are_reproducible_and_clean_up_to_their_first_anomaly() -> None:
    seen = set()
    for seed in range(3 * len(KINDS)):
        one, same = simulated(seed), simulated(seed)
        assert np.array_equal(one.x, same.x)
        assert len(one.ranges) == len(one.kinds) >= 1
        assert all(0 < begin < end <= len(one.x) for begin, end in one.ranges)
        clean = simulated(seed, clean=True)
        first = one.ranges[0][0]
        assert clean.ranges == ()
        assert np.array_equal(one.x[:first], clean.x[:first])
        assert not np.array_equal(one.x, clean.x)
        seen |= set(one.kinds)
    assert seen == set(ANOMALIES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_values_of_each_kind_are_finite_and_within_its_bounds(kind: object) -> None:
    one = simulated(5, readings=500, kind=kind)  # type: ignore[arg-type]
    assert len(one.x) == len(one.t) == 500
    assert np.isfinite(one.x).all()
    assert one.x.min() >= kind.lowest  # type: ignore[attr-defined]
    assert one.x.max() <= kind.highest  # type: ignore[attr-defined]
    assert len(np.unique(np.diff(one.t))) == 1


@pytest.mark.parametrize("kind", ANOMALIES)
def test_each_kind_changes_its_range_and_only_a_lasting_level_more(kind: str) -> None:
    for seed in range(10):
        random = np.random.default_rng(seed)
        before = 20 + 3 * np.sin(np.arange(2_000) / 20) + random.normal(0, 0.3, 2_000)
        after = before.copy()
        ranges, kinds = inject(after, random, [kind])
        assert ranges
        assert set(kinds) == {kind}
        assert list(ranges) == sorted(ranges)
        inside = np.zeros(2_000, bool)
        for begin, end in ranges:
            inside[begin:end] = True
            assert (after[begin:end] != before[begin:end]).any()
        if kind != "level":
            assert (after[~inside] == before[~inside]).all()


def test_without_possible_kinds_nothing_changes() -> None:
    values = np.arange(1_000.0)
    assert inject(values, np.random.default_rng(0), []) == ((), ())
    assert (values == np.arange(1_000.0)).all()
