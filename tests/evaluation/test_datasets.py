"""Data sets of the simulator: development, held back, clean, and injected recordings."""

from __future__ import annotations

import numpy as np

from tocsin.evaluation.datasets import INJECTED, clean, development, held_back, injected
from tocsin.evaluation.labelled_series import Labelled


def test_development_and_held_back_series_are_different_and_labelled() -> None:
    ours, theirs = development(3), held_back(3)
    assert not {one.name for one in ours} & {one.name for one in theirs}
    assert all(one.ranges and len(one.ranges) == len(one.kinds) for one in [*ours, *theirs])


def test_clean_series_last_a_week_without_labels() -> None:
    for one in clean(4):
        assert one.ranges == ()
        assert 2_000 <= len(one.x) <= 60_000
        assert one.days >= 6.9 or len(one.x) == 60_000


def test_labelled_and_missing_readings_are_left_out_before_the_injection() -> None:
    x = np.random.default_rng(1).normal(20, 1, 600)
    x[5] = np.nan
    x[100:110] = 500.0
    series = Labelled("a", np.arange(600.0), x, ((100, 110),))
    (found,) = injected([series], 7)
    assert len(found.x) == len(found.t) == 600 - 11
    assert not np.isnan(found.x).any()
    assert not set(found.t) & {5.0, *np.arange(100.0, 110.0)}
    assert set(found.kinds) <= set(INJECTED)
    assert np.array_equal(found.x, injected([series], 7)[0].x)
    assert not np.array_equal(found.x, injected([series], 8)[0].x)
