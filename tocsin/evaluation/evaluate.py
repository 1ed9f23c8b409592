"""Detectors over labelled series: scores, alarms, and one row of figures a detector."""

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

# Readings of buffer for the volumes, and after an anomaly in which a raise still counts as its.
BUFFER, SLACK = 50, 20


@dataclass
class Evaluation:
    """vus_pr, vus_roc: mean over the series with labels. range_f1, precision, recall: of the readings over the alarm line.
    window: of the score that rewards early detection, with its own threshold. false_a_day: raises without cause a day, mean
    over the series. delay: median readings from an anomaly's start to its raise. found, missed: anomalies by kind."""

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
    """Scores of every reading of every series, NaN where there is no opinion; and the seconds that it took."""
    starts = np.cumsum([0, *(len(one.x) for one in series)]).astype(np.int64)
    x, t = np.concatenate([one.x for one in series]), np.concatenate([one.t for one in series])
    # What is compiled is compiled before the clock runs.
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
    """Readings at which an alarm is raised: at the line, once until the score has fallen under `clear_below`."""
    bounds = np.array([0, len(scores)], np.int64)
    what = lifecycle.follow(
        scores, t * 1e6, bounds, np.zeros((1, lifecycle.WIDTH)), clear_below=clear_below
    ).events
    found: Int64s = np.flatnonzero(what == lifecycle.RAISE).astype(np.int64)
    return found


def judged(
    name: str, detector: Detector, series: Sequence[Labelled], as_they_are: bool = False
) -> tuple[Evaluation, list[Floats]]:
    """One detector on all series; as_they_are: labels are the windows of the window score. Gives its scores, too."""
    scores, seconds = scored(detector, series)
    readings = sum(len(one.x) for one in series)
    found = Evaluation(
        name, len(series), readings, readings / max(seconds, 1e-9), 8 * width_of(detector)
    )
    labelled = [
        (one, _plain(given)) for one, given in zip(series, scores, strict=True) if one.ranges
    ]
    raised = [
        raises(given, one.t, detector.clear_below)
        for one, given in zip(series, scores, strict=True)
    ]
    # Each series counts the same: those of a reading a day are thousands of days long.
    rates = [
        false_raises(one.ranges, at, SLACK) / one.days
        for one, at in zip(series, raised, strict=True)
        if one.days
    ]
    found.false_a_day = float(np.mean(rates)) if rates else float("nan")
    if not labelled:
        return found, scores
    areas = [volumes(given, one.ranges, BUFFER) for one, given in labelled]
    found.vus_pr, found.vus_roc = (
        float(np.mean([getattr(area, which) for area in areas])) for which in ("pr", "roc")
    )
    found.range_f1 = float(
        np.mean([range_score(one.ranges, ranges_of(given >= 1.0)).f1 for one, given in labelled])
    )
    window = window_score(series, [_plain(given) for given in scores], as_they_are)
    found.window, found.window_threshold = window.score, window.threshold
    late: list[int] = []
    for one, at in zip(series, raised, strict=True):
        kinds = one.kinds or ("",) * len(one.ranges)
        for kind, delay in zip(kinds, delays(one.ranges, at, SLACK), strict=True):
            side = found.missed if delay is None else found.found
            side[kind] = side.get(kind, 0) + 1
            late += [] if delay is None else [delay]
    found.delay = float(np.median(late)) if late else float("nan")
    return found, scores


def _plain(scores: Floats) -> Floats:
    """No opinion is no surprise; infinity is more than anything else."""
    return np.nan_to_num(scores, nan=0.0, posinf=1e300)


def calibrated(scores: Floats) -> Any:
    """From 0 to 1, in the same order, with the alarm line at one half."""
    plain = np.maximum(_plain(scores), 0.0)
    return plain / (1.0 + plain)
