"""Evaluation: VUS, window and range scores against plain oracles; folders; the command."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tocsin.cli.main import main
from tocsin.evaluation.evaluate import calibrated, raises
from tocsin.evaluation.labelled_series import Labelled, ranges_of, read_folder
from tocsin.evaluation.range_metrics import delays, false_raises, range_score
from tocsin.evaluation.vus import _areas, faded, volumes
from tocsin.evaluation.window_score import (
    FALSE_ALARM,
    MISS,
    probation,
    weights,
    window_score,
    windows_of,
)
from tocsin.foundation.failure import Failure

SERIES = st.integers(0, 10_000)


def _case(seed: int) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    random = np.random.default_rng(seed)
    labels = np.zeros(120, bool)
    for _ in range(int(random.integers(1, 4))):
        begin = int(random.integers(20, 110))
        labels[begin : begin + int(random.integers(1, 9))] = True
    return np.round(random.random(120) + labels * random.random(), 1), ranges_of(labels)


@given(SERIES)
def test_areas_equal_a_loop_over_the_thresholds(seed: int) -> None:
    scores, ranges = _case(seed)
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


@given(SERIES)
def test_the_window_score_is_the_best_of_all_thresholds(seed: int) -> None:
    series, scores = [], []
    for at in range(3):
        given_, ranges = _case(seed * 3 + at)
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


def test_an_alarm_is_raised_again_only_after_the_score_has_fallen_below_clear_below() -> None:
    scores = np.array([0, 1.2, 0.7, 1.5, 0.4, 1.1, np.nan, 0.1])
    assert raises(scores, np.arange(8.0), 0.5).tolist() == [1, 5]
    assert raises(scores, np.arange(8.0), 1.0).tolist() == [1, 3, 5]
    assert calibrated(np.array([0.0, 1.0, np.inf, np.nan])).tolist() == [0, 0.5, 1, 0]


def test_series_are_read_with_any_usual_names_of_columns(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.csv").write_text(
        "timestamp,value\n2014-04-01 00:05:00,2\n2014-04-01 00:00:00,1\n"
    )
    (tmp_path / "two.csv").write_text("Data,Label\n1,0\n2,1\n3,1\n")
    (tmp_path / "three.out").write_text("0.5,0\n0.7,1\n")
    parquet.write_table(
        pa.table({"ts": [1, 2], "level": [3.0, None], "is_anomaly": [False, True]}),
        tmp_path / "four.parquet",
    )
    found = {one.name: one for one in read_folder(tmp_path)}
    assert found["a/one"].x.tolist() == [1, 2]
    assert np.diff(found["a/one"].t).tolist() == [300]
    assert found["a/one"].rows is not None
    assert found["a/one"].rows.tolist() == [1, 0]
    assert found["two"].ranges == ((1, 3),)
    assert found["three"].ranges == ((1, 2),)
    assert found["four"].ranges == ((1, 2),)
    assert np.isnan(found["four"].x[1])
    with pytest.raises(Failure, match="no column 'speed'"):
        read_folder(tmp_path, value="speed")
    with pytest.raises(Failure, match=r"no \.csv or \.parquet"):
        read_folder(tmp_path / "a" / "nothing")


def test_the_command_evaluates_writes_scores_and_plots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, plots = tmp_path / "scores.parquet", tmp_path / "plots"
    arguments = [
        "bench",
        "detectors",
        "--count",
        "3",
        "--detector",
        "auto",
        "--detector",
        "robust_z:window=50",
    ]
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--scores", str(scores), "--plots", str(plots), "--json"])
    assert left.value.code == 0
    shown: list[Any] = json.loads(capsys.readouterr().out)
    assert [one["detector"] for one in shown] == ["auto", "robust_z:window=50"]
    assert shown[0]["series"] == 3
    written = parquet.read_table(scores)
    assert written.schema.names == ["detector", "series", "seq", "score", "calibrated"]
    assert written.num_rows == 2 * shown[0]["readings"]
    assert len(list(plots.glob("*.png"))) == 3
    with pytest.raises(SystemExit) as wrong:
        main(["bench", "detectors", "--detector", "auto:window=3"])
    assert wrong.value.code == 2


def test_sensors_of_one_file_become_series_into_which_anomalies_are_injected(
    tmp_path: Path,
) -> None:
    from tocsin.evaluation.datasets import INJECTED, injected

    random = np.random.default_rng(0)
    rows = [
        (f"s{n}", at, float(20 + random.normal()))
        for n in range(3)
        for at in range(400 if n else 50)
    ]
    sensors, times, values = zip(*rows, strict=True)
    parquet.write_table(
        pa.table({"sensor": sensors, "time": times, "value": values}), tmp_path / "city.parquet"
    )
    series = read_folder(tmp_path, by=("sensor",))
    assert [one.name for one in series] == ["city/s1", "city/s2"]
    changed = injected(series, 7)
    for before, after in zip(series, changed, strict=True):
        assert set(after.kinds) <= set(INJECTED)
        marked = np.zeros(400, bool)
        for begin, end in after.ranges:
            marked[begin:end] = True
        assert (before.x[~marked] == after.x[~marked]).all() or "level" in after.kinds
        assert (before.x[marked] != after.x[marked]).any()
    assert [one.ranges for one in injected(series, 7)] == [one.ranges for one in changed]
    with pytest.raises(Failure, match="no column 'nothing'"):
        read_folder(tmp_path, by=("nothing",))
