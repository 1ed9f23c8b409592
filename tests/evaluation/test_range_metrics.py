"""Range scores reward existence and overlap; delays and false raises respect the slack."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.evaluation.range_metrics import delays, false_raises, range_score


def test_ranges_reward_existence_and_overlap() -> None:
    assert range_score(((10, 20),), ((10, 20),)).f1 == 1
    half = range_score(((10, 20),), ((15, 25),))
    assert (half.recall, half.precision) == (0.5 + 0.25, 0.5)
    pieces = range_score(((10, 20),), ((10, 12), (14, 16)))
    assert pieces.recall == pytest.approx(0.5 + 0.5 * 0.4 / 2)
    assert range_score(((10, 20),), ()).f1 == 0


def test_delays_and_false_raises_are_counted_within_the_slack() -> None:
    raised = np.array([5, 12, 60])
    assert delays(((10, 20), (40, 50)), raised, 5) == [2, None]
    assert false_raises(((10, 20), (40, 50)), raised, 5) == 2
