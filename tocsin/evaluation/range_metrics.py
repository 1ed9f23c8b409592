"""Precision, recall and F1 of ranges, and delays of detection.

Source: Tatbul, Lee, Zdonik, Alam, Gottschlich: Precision and Recall for Time Series, NeurIPS 2018.
Parameters: flat bias; in recall, existence has a weight of one half; an overlap in several pieces
counts by one over their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_EXISTENCE = 0.5
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class RangeScore:
    """Precision and recall from 0 to 1. Recall is NaN without real ranges."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean; 0 if both are 0."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both > 0 else 0.0


def range_score(real: Ranges, predicted: Ranges) -> RangeScore:
    """Precision and recall of ranges. real: labelled. predicted: at or above the alarm line."""
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
    """For each anomaly, the readings from its start to its first raise; None if it was missed.

    raised: positions of raises. slack: readings after an anomaly in which a raise still counts.
    """
    found: list[int | None] = []
    for begin, end in real:
        inside = raised[(raised >= begin) & (raised < end + slack)]
        found.append(int(inside[0] - begin) if len(inside) else None)
    return found


def false_raises(real: Ranges, raised: np.ndarray, slack: int) -> int:
    """The number of raises that no anomaly explains. raised, slack: as for `delays`."""
    explained = np.zeros(len(raised), bool)
    for begin, end in real:
        explained |= (raised >= begin) & (raised < end + slack)
    return int((~explained).sum())
