"""Votes of an ensemble."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.parts.registry import find


@pytest.mark.parametrize("vote", ["mean", "median", "max"])
@pytest.mark.parametrize("value", [-1e300, -50.0, -10.0, -9.99, 0.0])
def test_a_reading_far_on_the_safe_side_raises_nothing(vote: str, value: float) -> None:
    """`threshold` with `above` scores a value against its line, so a frost scores below -1."""
    members = {"threshold": {"above": 10}, "rate_of_change": {"per_second": 5.0}}
    made = find("detectors", "ensemble")(members=members, vote=vote)
    states = np.array([made.start_state()])
    scores, _ = made.score_many(
        np.array([value, value]), np.array([0.0, 60.0]), np.array([0, 2]), states
    )
    assert scores[1] == 0.0
