"""Precision, recall and F1 of ranges, and delays.

Source: Tatbul, Lee, Zdonik, Alam, Gottschlich: Precision and Recall for Time Series, NeurIPS 2018, with a flat bias, a reward for
existence of one half in recall, and a range that is found in pieces counted by one over their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_EXISTENCE = 0.5
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class RangeScore:
    """Each from 0 to 1; NaN where there is nothing to count."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both > 0 else 0.0


def range_score(real: Ranges, predicted: Ranges) -> RangeScore:
    """real: labelled ranges. predicted: ranges over the alarm line."""
    recall = [
        _EXISTENCE * (len(_overlaps(one, predicted)) > 0)
        + (1 - _EXISTENCE) * _overlap(one, predicted)
        for one in real
    ]
    precision = [_overlap(one, real) for one in predicted]
    return RangeScore(
        float(np.mean(precision)) if precision else 0.0,
        float(np.mean(recall)) if recall else float("nan"),
    )


def _overlaps(one: tuple[int, int], others: Ranges) -> list[int]:
    sizes = [min(one[1], end) - max(one[0], begin) for begin, end in others]
    return [size for size in sizes if size > 0]


def _overlap(one: tuple[int, int], others: Ranges) -> float:
    parts = _overlaps(one, others)
    return sum(parts) / (one[1] - one[0]) / len(parts) if parts else 0.0


def delays(real: Ranges, raised: np.ndarray, slack: int) -> list[int | None]:
    """Readings from the start of each anomaly to the first raise in it, or up to `slack` readings after; None: missed."""
    found: list[int | None] = []
    for begin, end in real:
        inside = raised[(raised >= begin) & (raised < end + slack)]
        found.append(int(inside[0] - begin) if len(inside) else None)
    return found


def false_raises(real: Ranges, raised: np.ndarray, slack: int) -> int:
    """Raises that no anomaly explains."""
    explained = np.zeros(len(raised), bool)
    for begin, end in real:
        explained |= (raised >= begin) & (raised < end + slack)
    return int((~explained).sum())
