"""VUS equals a loop over all thresholds, and rewards near misses in part."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.series import case
from tocsin.evaluation.vus import _areas, faded, volumes

SERIES = st.integers(0, 10_000)


@given(SERIES)
def test_areas_equal_a_loop_over_the_thresholds(seed: int) -> None:
    scores, ranges = case(seed)
    for width in (0, 4, 10):
        labels, segments = faded(len(scores), ranges, width)
        plain = np.zeros(len(scores))
        for begin, end in ranges:
            plain[begin:end] = 1
        positives = (plain.sum() + labels.sum()) / 2
        points, precision = [(0.0, 0.0)], []
        for at in range(len(scores)):
            threshold = np.sort(scores)[::-1][at]
            over = scores >= threshold
            hit = float((labels * over).sum())
            exist = np.mean([bool(over[begin:end].any()) for begin, end in segments])
            points.append(
                (
                    max(over.sum() - hit, 0) / (len(scores) - positives),
                    min(hit / positives, 1) * exist,
                )
            )
            precision.append(hit / over.sum())
        points.append((1.0, 1.0))
        roc = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))
        pr = sum(
            (b[1] - a[1]) * p for a, b, p in zip(points[:-2], points[1:-1], precision, strict=True)
        )
        order = np.argsort(-scores, kind="stable")
        counts = np.searchsorted(-scores[order], -scores[order], side="right")
        assert _areas(scores, order, counts, ranges, width) == pytest.approx((roc, pr))


def test_a_perfect_score_has_an_area_of_one_and_a_reversed_one_nearly_zero() -> None:
    ranges = ((100, 120), (300, 310))
    labels = np.zeros(500)
    for begin, end in ranges:
        labels[begin:end] = 1
    best, worst = volumes(labels, ranges, 0), volumes(-labels, ranges, 0)
    assert (best.pr, best.roc) == pytest.approx((1, 1))
    assert worst.pr < 0.1
    assert worst.roc < 0.1
    assert 0.6 < volumes(labels, ranges, 40).pr < best.pr
