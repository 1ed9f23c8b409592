"""Detectors are evaluated on series: raises, calibration, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from tocsin.cli.main import main
from tocsin.evaluation.evaluate import calibrated, raises


def test_an_alarm_is_raised_again_only_after_the_score_has_fallen_below_clear_below() -> None:
    scores = np.array([0, 1.2, 0.7, 1.5, 0.4, 1.1, np.nan, 0.1])
    assert raises(scores, np.arange(8.0), 0.5).tolist() == [1, 5]
    assert raises(scores, np.arange(8.0), 1.0).tolist() == [1, 3, 5]
    assert calibrated(np.array([0.0, 1.0, np.inf, np.nan])).tolist() == [0, 0.5, 1, 0]


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
