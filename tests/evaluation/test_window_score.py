"""The window score equals the best of all thresholds, and rewards early detection."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.series import case
from tocsin.evaluation.labelled_series import Labelled
from tocsin.evaluation.window_score import (
    FALSE_ALARM,
    MISS,
    probation,
    weights,
    window_score,
    windows_of,
)

SERIES = st.integers(0, 10_000)


@given(SERIES)
def test_the_window_score_is_the_best_of_all_thresholds(seed: int) -> None:
    series, scores = [], []
    for at in range(3):
        given_, ranges = case(seed * 3 + at)
        series.append(Labelled(str(at), np.arange(120.0), given_, ranges))
        scores.append(given_)
    found = window_score(series, scores)
    best = 0.0
    for threshold in [np.inf, *np.unique(np.concatenate(scores))]:
        total = 0.0
        for one, values in zip(series, scores, strict=True):
            start = probation(120)
            windows = [window for window in windows_of(one) if window[1] > start]
            worth, number = weights(120, windows)
            for window in range(len(windows)):
                hits = [
                    row
                    for row in range(start, 120)
                    if number[row] == window and values[row] >= threshold
                ]
                total += worth[hits[0]] + MISS if hits else 0.0
            total += sum(
                worth[row]
                for row in range(start, 120)
                if number[row] < 0 and values[row] >= threshold
            )
        best = max(best, total)
    windows_in_all = sum(
        len([w for w in windows_of(one) if w[1] > probation(120)]) for one in series
    )
    assert found.score == pytest.approx(100 * best / (2 * windows_in_all))
    assert found.found + found.missed == windows_in_all


def test_immediate_detection_scores_100_and_a_false_alarm_costs_a_ninth() -> None:
    one = Labelled("a", np.arange(1000.0), np.zeros(1000), ((500, 501),))
    ((begin, _),) = windows_of(one)
    scores = np.zeros(1000)
    scores[begin] = 1
    assert window_score([one], [scores]).score == pytest.approx(100, abs=0.01)
    scores[300] = 1
    assert window_score([one], [scores]).score == pytest.approx(100 - 50 * FALSE_ALARM, abs=0.01)
    assert window_score([one], [np.zeros(1000)]).score == 0
