"""A bounded job that runs twice, and grows: its rows are in the lake once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.tables import live_rows, table_of, values
from tocsin.compiler.checker import check_text
from tocsin.compiler.lower import lower
from tocsin.engines.beam.running import run_bounded
from tocsin.engines.targets import check_targets
from tocsin.foundation.failure import Failure

START = 1_772_409_600_000_000
JOB = """
pipeline:
  transforms:
    - type: ReadFiles
      config: {files: readings.parquet, event_time: at}
    - type: WriteToLake
      name: Readings
      input: ReadFiles
      config: {lake: lake, dataset: readings, shards: 2}
    - type: Aggregate
      input: ReadFiles
      config: {every: 1 min, by: [sensor], measures: {n: count()}}
    - {type: WriteToLake, name: Windows, input: Aggregate, config: {lake: lake, dataset: windows}}
"""


def record(folder: Path, count: int) -> None:
    """A recording of a reading every ten seconds."""
    times = pa.array([START + number * 10_000_000 for number in range(count)], pa.int64())
    rows = {
        "sensor": pa.array([f"s{number % 3}" for number in range(count)]),
        "number": pa.array(range(count)),
        "at": times.view(pa.timestamp("us", "UTC")),
    }
    parquet.write_table(pa.table(rows), folder / "readings.parquet")


def run(folder: Path, text: str = JOB, name: str = "job") -> None:
    run_bounded(check_text(str(folder / f"{name}.yaml"), text)[0])


def test_a_job_that_runs_again_adds_only_new_readings_and_renews_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for count in (300, 300, 601):
        record(tmp_path, count)
        run(tmp_path)
        assert sorted(live_rows(tmp_path / "lake", "readings")["number"].to_pylist()) == [
            *range(count)
        ]
        assert sum(values(tmp_path / "lake", "windows", "n")) == count
    properties = table_of(tmp_path / "lake", "readings").properties
    assert properties["tocsin.owner"] == "job/Readings"
    assert properties["tocsin.kind"] == "bounded"
    # Each run has a name of its own, and all workers of a run have the same.
    footers = {
        parquet.read_schema(file).metadata[b"tocsin.run"]
        for file in (tmp_path / "lake" / "readings").rglob("*.parquet")
    }
    assert len(footers) == 2


def test_another_job_is_refused_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record(tmp_path, 30)
    run(tmp_path)
    with pytest.raises(Failure, match="belongs to 'job/Readings', and 'other/Readings' may not"):
        run(tmp_path, name="other")
    job, _ = check_text(str(tmp_path / "job.yaml"), JOB)
    check_targets(job)
    check_targets(job, live=True)


def test_sinks_know_whether_a_job_is_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record(tmp_path, 3)
    job, _ = check_text(str(tmp_path / "job.yaml"), JOB)
    for live in (False, True):
        steps = lower(job, live=live)["pipeline"]["transforms"]
        marked = {step["name"] for step in steps if step["config"].get("tocsin_live")}
        assert marked == ({"ReadFiles", "Readings", "Windows"} if live else set())
