"""A backtest raises the same alarms as a run of the job, and compares two versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from tocsin.backtest import recording
from tocsin.backtest.compare import Difference, Episode, episodes
from tocsin.backtest.engine import Engine
from tocsin.compiler.checker import check_text
from tocsin.engines.beam.running import run_bounded
from tocsin.foundation.failure import Failure

JOB = """
pipeline:
  transforms:
    - type: ReadFiles
      config: {files: FOLDER/recording.parquet, event_time: at, allowed_lateness: 5 min}
    - {type: Filter, input: ReadFiles, config: {keep: value > -1000}}
    - {type: Deduplicate, input: Filter, config: {by: [sensor]}}
    - type: Aggregate
      input: Deduplicate
      config:
        every: 1 min
        by: [sensor]
        measures: {mean: mean(value), most: max(value), readings: count()}
    - type: Detect
      name: High
      input: Aggregate
      config: {of: mean, by: [sensor], with: {threshold: {above: LIMIT}}}
    - type: Detect
      name: Silent
      input: Aggregate
      config: {of: most, by: [sensor], with: {missing_data: {after: 10 min}}}
    - type: ManageAlarms
      input: {alarms: [High.alarms, Silent.alarms]}
    - {type: WriteToLake, input: ManageAlarms, config: {lake: FOLDER/lake, dataset: alarms}}
    - {type: ManageAlarms, name: Few, input: {alarms: Silent.alarms}}
    - {type: WriteToLake, name: FewToLake, input: Few, config: {lake: FOLDER/lake, dataset: few}}
    - {type: WriteAlarms, input: ManageAlarms, config: {topic: nowhere}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))
    random = np.random.default_rng(0)
    count = 20_000
    # No two readings have one time, or their order in the file would decide.
    at = (
        np.sort(random.integers(0, 12 * 3600, count)) * 1_000_000
        + np.arange(count)
        + 1_772_445_600_000_000
    )
    sensors = random.integers(0, 6, count)
    silent = (sensors == 3) & (at > at[count // 3]) & (at < at[count // 2])
    values = random.normal(20, 3, count) + 40 * (random.random(count) < 0.002)
    table = pa.table(
        {
            "sensor": [f"s{n}" for n in sensors],
            "at": pa.array(at, pa.timestamp("us", tz="UTC")),
            "value": values,
        }
    ).filter(pa.array(~silent))
    parquet.write_table(table, tmp_path / "recording.parquet")
    parquet.write_table(
        table.take(pa.array(random.permutation(table.num_rows))), tmp_path / "shuffled.parquet"
    )
    csv.write_csv(table, tmp_path / "recording.csv")
    return tmp_path


def job_of(folder: Path, limit: int = 24, text: str = JOB) -> Any:
    return check_text(
        str(folder / "job.yaml"), text.replace("FOLDER", str(folder)).replace("LIMIT", str(limit))
    )[0]


def test_a_backtest_raises_the_alarms_of_a_run_for_any_order_and_format(
    folder: Path,
) -> None:
    to_lake = JOB.replace(
        "    - {type: WriteAlarms, input: ManageAlarms, config: {topic: nowhere}}\n", ""
    )
    run_bounded(job_of(folder, text=to_lake))
    rows = parquet.read_table(folder / "lake/alarms").to_pylist()
    raised = sorted(
        (row["rule"].removeprefix("job/"), row["key"], row["started_at"])
        for row in rows
        if row["event"] == "raise"
    )
    assert len(raised) > 20
    for name in ("recording.parquet", "shuffled.parquet", "recording.csv"):
        found = episodes(job_of(folder), str(folder / name))
        assert sorted((one.rule, one.key, one.start) for one in found) == raised
    few = parquet.read_table(folder / "lake/few").to_pylist()
    silent = {row["alarm_id"] for row in rows if row["detector"] == "missing_data"}
    assert {row["alarm_id"] for row in few} == silent != set()
    clears = {row["alarm_id"]: row["time"] for row in rows if row["event"] == "clear"}
    assert sorted(one.end for one in found if one.end) == sorted(clears.values())


def test_an_unfit_recording_is_refused(folder: Path) -> None:
    csv.write_csv(pa.table({"sensor": ["a"], "at": [1]}), folder / "poor.csv")
    with pytest.raises(Failure, match="has no column value"):
        episodes(job_of(folder), str(folder / "poor.csv"))
    with pytest.raises(Failure, match="no recording at"):
        episodes(job_of(folder), str(folder / "none.parquet"))
    (folder / "bad.parquet").write_text("no")
    with pytest.raises(Failure, match="cannot read the recording"):
        episodes(job_of(folder), str(folder / "bad.parquet"))


def test_plan_reports_and_plots_the_difference(folder: Path, tocsin: Any) -> None:
    for name, limit in (("old", 24), ("new", 28)):
        text = JOB.replace("FOLDER", str(folder)).replace("LIMIT", str(limit))
        (folder / f"{name}.yaml").write_text(text)
    arguments = ["plan", folder / "new.yaml", "--against", folder / "recording.parquet"]
    arguments += ["--diff", folder / "old.yaml"]
    code, out, _ = tocsin(*arguments, "--json")
    assert code == 0
    shown = json.loads(out)
    assert 0 < len(shown["alarms"]) < shown["before"]
    assert len(shown["gone"]) - len(shown["new"]) >= shown["before"] - len(shown["alarms"]) - 5
    code, text, _ = tocsin(*arguments, "--plots", folder / "plots")
    assert code == 0
    assert text.startswith(f"{len(shown['alarms'])} alarms instead of {shown['before']}: ")
    assert "gone" in text
    assert len(list((folder / "plots").glob("*.png"))) == len(
        {one["key"] for one in shown["gone"] + shown["new"]}
    )


def test_alarms_of_one_rule_and_sensor_that_overlap_are_the_same() -> None:
    from datetime import UTC, datetime

    def episode(start: int, end: int | None, key: str = "a") -> Episode:
        moments = [
            None if m is None else datetime(2026, 3, 2, 10, m, tzinfo=UTC) for m in (start, end)
        ]
        assert moments[0] is not None
        return Episode("rule", key, moments[0], moments[1], "low", 1.0, "")

    before, after = (
        [episode(0, 5), episode(10, 12)],
        [episode(4, 6), episode(20, None), episode(10, 12, "b")],
    )
    found = Difference(before, after)
    assert (found.new, found.gone) == ([after[1], after[2]], [before[1]])


LOOKAHEAD = """
pipeline:
  transforms:
    - type: ReadFiles
      config: {files: FOLDER/recording.parquet, event_time: at}
    - type: QualityControl
      input: ReadFiles
      config:
        of: value
        by: [sensor]
        lookahead: 2 min
        tests: {spike: {suspect: 60, fail: 200}}
    - type: Aggregate
      input: QualityControl
      config: {every: 1 min, by: [sensor], measures: {readings: count()}}
"""


@pytest.mark.parametrize("rows", [500_000, 700])
def test_no_reading_is_lost_behind_a_step_with_lookahead(
    rows: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a step passes on its rows later, so those behind it may not be ahead of it."""
    monkeypatch.setattr(recording, "ROWS", rows)
    text = LOOKAHEAD.replace("FOLDER", str(folder))
    job = check_text(str(folder / "job.yaml"), text)[0]
    found = Engine(job, {("Aggregate", "output")}).run(str(folder / "recording.parquet"))
    windows = [batch for batches in found.values() for batch in batches]
    counted = sum(sum(batch.column("readings").to_pylist()) for batch in windows)
    assert counted == parquet.read_metadata(folder / "recording.parquet").num_rows
