"""Areas under range-aware curves: VUS-ROC and VUS-PR.

Source: Paparrizos, Boniol, Palpanas, Tsay, Elmore, Franklin: Volume Under the Surface, PVLDB 15
(2022). A label fades out over a buffer on both sides of its range, so that a score that is a little
early or late counts in part. The volume is the mean area over buffers from 0 to `buffer`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tocsin.evaluation.labelled_series import ranges_of
from tocsin.kernels.batch import Floats

_THRESHOLDS = 250
_BUFFERS = 11


@dataclass(frozen=True)
class Volumes:
    """VUS-ROC and VUS-PR, each from 0 to 1."""

    roc: float
    pr: float


def volumes(scores: Floats, ranges: tuple[tuple[int, int], ...], buffer: int) -> Volumes:
    """VUS of one series.

    scores: finite, one for each reading. ranges: at least one anomaly. buffer: readings.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    cuts = np.linspace(0, len(scores) - 1, min(_THRESHOLDS, len(scores))).astype(int)
    # Readings whose score equals the threshold count as above it.
    counts = np.searchsorted(-ranked, -ranked[cuts], side="right")
    found = [
        _areas(scores, order, counts, ranges, int(width))
        for width in np.unique(np.linspace(0, buffer, _BUFFERS).astype(int))
    ]
    roc, pr = np.mean(found, axis=0)
    return Volumes(float(roc), float(pr))


def _areas(
    scores: Floats,
    order: np.ndarray,
    counts: np.ndarray,
    ranges: tuple[tuple[int, int], ...],
    width: int,
) -> tuple[float, float]:
    labels, segments = faded(len(scores), ranges, width)
    hits = np.r_[0.0, np.cumsum(labels[order])][counts]
    positives = (sum(end - begin for begin, end in ranges) + labels.sum()) / 2
    peaks = np.array([scores[begin:end].max() for begin, end in segments])
    thresholds = scores[order][counts - 1]
    exist = (peaks[None, :] >= thresholds[:, None]).mean(axis=1)
    recall = np.minimum(hits / positives, 1.0) * exist
    false = np.maximum(counts - hits, 0.0) / max(len(scores) - positives, 1e-12)
    precision = hits / counts
    x, y = np.r_[0.0, false, 1.0], np.r_[0.0, recall, 1.0]
    roc = float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))
    pr = float(np.sum(np.diff(np.r_[0.0, recall]) * precision))
    return roc, pr


def faded(
    size: int, ranges: tuple[tuple[int, int], ...], width: int
) -> tuple[Floats, tuple[tuple[int, int], ...]]:
    """Labels from 0 to 1, and the runs where they are above 0.

    size: readings. width: of the buffer. Labels fall by the square root over half of it.
    """
    labels = np.zeros(size)
    half = width // 2
    for begin, end in ranges:
        labels[begin:end] = 1.0
        after = np.arange(end, min(end + half, size))
        labels[after] += np.sqrt(1 - (after - end + 1) / (width + 1))
        before = np.arange(max(begin - half, 0), begin)
        labels[before] += np.sqrt(1 - (begin - before) / (width + 1))
    np.minimum(labels, 1.0, out=labels)
    return labels, ranges_of(labels > 0)
