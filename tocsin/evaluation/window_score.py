"""A window score that rewards early detection.

It is 100 if every anomaly is detected at its first reading, and 0 without any detection.

Source: Lavin and Ahmad: Evaluating Real-Time Anomaly Detection Algorithms, ICMLA 2015 (the Numenta
Anomaly Benchmark, standard profile). The first detection in a window earns up to 1, more the
earlier. A detection outside costs up to 0.11, less the closer it follows a window. A window without
detection costs 1. All series share the threshold with the best sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tocsin.evaluation.labelled_series import Labelled
from tocsin.kernels.batch import Floats

FALSE_ALARM, MISS = 0.11, 1.0
_PROBATION, _MOST_PROBATION = 0.15, 750
_WINDOWS = 0.1


@dataclass(frozen=True)
class WindowScore:
    """The score of a detector, from 0 (no detection) to 100.

    threshold: the best one. found, missed: windows at this threshold. false: detections outside.
    """

    score: float
    threshold: float
    found: int
    missed: int
    false: int


def windows_of(series: Labelled, labels_are_windows: bool = False) -> list[tuple[int, int]]:
    """A window around each anomaly, from its first position to the one after its last.

    Together the windows are a tenth of the series, unless the labels are longer. Overlapping
    windows are merged. labels_are_windows: do not widen the labels.
    """
    size = len(series.x)
    wide = (
        0 if labels_are_windows or not series.ranges else int(_WINDOWS * size / len(series.ranges))
    )
    found: list[tuple[int, int]] = []
    for begin, end in series.ranges:
        more = max(wide - (end - begin), 0) // 2
        window = max(begin - more, 0), min(end + more, size)
        if found and window[0] < found[-1][1]:
            window = found.pop()[0], window[1]
        found.append(window)
    return found


def probation(size: int) -> int:
    """The number of readings at the start that do not count. size: of the series."""
    return int(min(_PROBATION * size, _MOST_PROBATION))


def weights(size: int, windows: list[tuple[int, int]]) -> tuple[Floats, np.ndarray]:
    """The value of a detection at each reading, and the number of its window, or -1."""
    worth, number = np.full(size, -FALSE_ALARM), np.full(size, -1)
    for at, (begin, end) in enumerate(windows):
        after = np.arange(end, windows[at + 1][0] if at + 1 < len(windows) else size)
        last, length = end - 1, max(end - 1 - begin, 1)
        worth[after] = FALSE_ALARM * _sigmoid((after - last) / length)
        inside = np.arange(begin, end)
        worth[inside] = _sigmoid(-(end - inside) / (end - begin)) / _sigmoid(-1.0)
        number[inside] = at
    return worth, number


def _sigmoid(position: Floats | float) -> Floats:
    """The scaled sigmoid of a distance in windows; -1 beyond 3 windows."""
    place = np.asarray(position, np.float64)
    return np.where(place > 3.0, -1.0, 2.0 / (1.0 + np.exp(5.0 * np.minimum(place, 3.0))) - 1.0)


def window_score(
    series: Sequence[Labelled], scores: Sequence[Floats], labels_are_windows: bool = False
) -> WindowScore:
    """The score of one detector over all series, at its best threshold.

    scores: one array for each series; readings with NaN do not count.
    """
    gains: list[tuple[Floats, Floats]] = []
    total_windows, changes, false_at = 0, [], []
    for one, values in zip(series, scores, strict=True):
        windows = windows_of(one, labels_are_windows)
        start = probation(len(values))
        windows = [window for window in windows if window[1] > start]
        worth, number = weights(len(values), windows)
        counted = np.arange(start, len(values))
        counted = counted[~np.isnan(values[counted])]
        total_windows += len(windows)
        outside = counted[number[counted] < 0]
        gains.append((values[outside], worth[outside]))
        false_at.append(values[outside])
        for at in range(len(windows)):
            inside = counted[number[counted] == at]
            if len(inside):
                changes.append(_best_so_far(values[inside], worth[inside]))
    thresholds, deltas = (np.concatenate(column) for column in zip(*gains, *changes, strict=True))
    order = np.argsort(-thresholds, kind="stable")
    ranked, sums = thresholds[order], np.cumsum(deltas[order])
    last = np.r_[ranked[1:] != ranked[:-1], True]
    ranked, sums = np.r_[np.inf, ranked[last]], np.r_[0.0, sums[last]]
    best = int(np.argmax(sums))
    threshold = float(ranked[best])
    found = sum(bool(levels[0].size and levels[0].max() >= threshold) for levels in changes)
    false = int(sum((values >= threshold).sum() for values in false_at))
    missed = total_windows - found
    score = 100.0 * float(sums[best]) / (2.0 * total_windows) if total_windows else 0.0
    return WindowScore(score, threshold, found, missed, false)


def _best_so_far(scores: Floats, worth: Floats) -> tuple[Floats, Floats]:
    """The thresholds at which the first detection in a window moves, and the growth of its gain.

    With a falling threshold, the first detection moves to earlier records of the running maximum.
    The first of them also turns a miss into a find.
    """
    record = np.r_[True, scores[1:] > np.maximum.accumulate(scores)[:-1]]
    levels, gains = scores[record][::-1], worth[record][::-1]
    return levels, np.diff(np.r_[-MISS, gains])
