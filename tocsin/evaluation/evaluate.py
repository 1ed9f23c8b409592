"""Runs detectors on labelled series: scores, alarms, and one row of figures for each detector."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tocsin.evaluation.labelled_series import Labelled, ranges_of
from tocsin.evaluation.range_metrics import delays, false_raises, range_score
from tocsin.evaluation.vus import volumes
from tocsin.evaluation.window_score import window_score
from tocsin.kernels.alarms import lifecycle
from tocsin.kernels.batch import Floats, Int64s
from tocsin.parts.detector import Detector, width_of

# Readings: the largest buffer of VUS, and the time after an anomaly in which a raise still counts.
BUFFER, SLACK = 50, 20


@dataclass
class Evaluation:
    """The figures of one detector; NaN without labels.

    Attributes:
        detector: its name.
        series, readings: counts.
        readings_a_second: speed on one core.
        state_bytes: state of one sensor.
        vus_pr, vus_roc: mean over the series with labels.
        range_f1: mean over the series with labels, of the readings at or above the alarm line.
        window: score that rewards early detection, with `window_threshold`.
        false_a_day: false raises per day, mean over the series.
        delay: median readings from an anomaly's start to its raise.
        found, missed: anomalies by kind.
    """

    detector: str
    series: int
    readings: int
    readings_a_second: float
    state_bytes: int
    vus_pr: float = float("nan")
    vus_roc: float = float("nan")
    range_f1: float = float("nan")
    window: float = float("nan")
    window_threshold: float = float("nan")
    false_a_day: float = float("nan")
    delay: float = float("nan")
    found: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)


def scored(detector: Detector, series: Sequence[Labelled]) -> tuple[list[Floats], float]:
    """The scores of every series, and the seconds that they took.

    A score is NaN where the detector has no opinion.
    """
    starts = np.cumsum([0, *(len(one.x) for one in series)]).astype(np.int64)
    x, t = np.concatenate([one.x for one in series]), np.concatenate([one.t for one in series])
    # Compile before the clock starts.
    _run(detector, x[:1].copy(), t[:1].copy(), np.array([0, 1], np.int64))
    began = time.perf_counter()
    scores = _run(detector, x, t, starts)
    return np.split(scores, starts[1:-1]), time.perf_counter() - began


def _run(detector: Detector, x: Floats, t: Floats, starts: Int64s) -> Floats:
    states = np.tile(np.array(detector.start_state(), np.float64), (len(starts) - 1, 1)).reshape(
        len(starts) - 1, width_of(detector)
    )
    return detector.score_many(x, t, starts, states)[0]


def raises(scores: Floats, t: Floats, clear_below: float) -> Int64s:
    """The positions of the readings that raise an alarm, at a score of 1 or more.

    t: seconds. After a raise, the score must fall below `clear_below` before the next.
    """
    bounds = np.array([0, len(scores)], np.int64)
    events = lifecycle.follow(
        scores, t * 1e6, bounds, np.zeros((1, lifecycle.WIDTH)), clear_below=clear_below
    ).events
    found: Int64s = np.flatnonzero(events == lifecycle.RAISE).astype(np.int64)
    return found


def evaluate(
    name: str, detector: Detector, series: Sequence[Labelled], labels_are_windows: bool = False
) -> tuple[Evaluation, list[Floats]]:
    """The figures of one detector on all series, and its scores.

    labels_are_windows: the window score uses the labels as they are, without widening them.
    """
    scores, seconds = scored(detector, series)
    readings = sum(len(one.x) for one in series)
    found = Evaluation(
        name, len(series), readings, readings / max(seconds, 1e-9), 8 * width_of(detector)
    )
    raised = [
        raises(values, one.t, detector.clear_below)
        for one, values in zip(series, scores, strict=True)
    ]
    # Series have equal weights, because one with a reading a day lasts for thousands of days.
    rates = [
        false_raises(one.ranges, at, SLACK) / one.days
        for one, at in zip(series, raised, strict=True)
        if one.days
    ]
    found.false_a_day = float(np.mean(rates)) if rates else float("nan")
    if any(one.ranges for one in series):
        plain = [_finite(values) for values in scores]
        _add_areas(found, series, plain)
        window = window_score(series, plain, labels_are_windows)
        found.window, found.window_threshold = window.score, window.threshold
        _add_delays(found, series, raised)
    return found, scores


def _add_areas(found: Evaluation, series: Sequence[Labelled], scores: list[Floats]) -> None:
    labelled = [(one, values) for one, values in zip(series, scores, strict=True) if one.ranges]
    areas = [volumes(values, one.ranges, BUFFER) for one, values in labelled]
    found.vus_pr = float(np.mean([area.pr for area in areas]))
    found.vus_roc = float(np.mean([area.roc for area in areas]))
    found.range_f1 = float(
        np.mean([range_score(one.ranges, ranges_of(values >= 1.0)).f1 for one, values in labelled])
    )


def _add_delays(found: Evaluation, series: Sequence[Labelled], raised: list[Int64s]) -> None:
    detected: list[int] = []
    for one, at in zip(series, raised, strict=True):
        kinds = one.kinds or ("",) * len(one.ranges)
        for kind, delay in zip(kinds, delays(one.ranges, at, SLACK), strict=True):
            side = found.missed if delay is None else found.found
            side[kind] = side.get(kind, 0) + 1
            detected += [] if delay is None else [delay]
    found.delay = float(np.median(detected)) if detected else float("nan")


def _finite(scores: Floats) -> Floats:
    """Scores with 0 for no opinion, and a large number for infinity."""
    return np.nan_to_num(scores, nan=0.0, posinf=1e300)


def calibrated(scores: Floats) -> Any:
    """Scores from 0 to 1 in the same order: 0 for no opinion, 0.5 at the alarm line."""
    plain = np.maximum(_finite(scores), 0.0)
    return plain / (1.0 + plain)
