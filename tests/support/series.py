"""Small random series with labels."""

from __future__ import annotations

import numpy as np

from tocsin.evaluation.labelled_series import ranges_of


def case(seed: int) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """Scores of 120 readings, with many ties, and one to three labelled ranges."""
    random = np.random.default_rng(seed)
    labels = np.zeros(120, bool)
    for _ in range(int(random.integers(1, 4))):
        begin = int(random.integers(20, 110))
        labels[begin : begin + int(random.integers(1, 9))] = True
    return np.round(random.random(120) + labels * random.random(), 1), ranges_of(labels)
