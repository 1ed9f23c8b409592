"""`tocsin new`: each template breaks a law, says what to do, obeys once filled in, and runs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.packages import run_command

# The part of each kind, and what replaces the places to fill in.
NAMES = {
    "read": "csv_folder",
    "clean": "plausible",
    "enrich": "scaling",
    "step": "rise",
    "aggregation": "average",
    "detector": "jump",
    "alert": "too_high",
    "write": "csv_target",
}
_RAISE = "        raise NotImplementedError"
FILLED: dict[str, list[tuple[str, str]]] = {
    "aggregation": [("6.0], None)", "6.0], 3.0)")],
    "detector": [("[nan, nan, nan]", "[0.0, 0.5, 2.0]"), ("from math import nan\n\n", "")],
    "clean": [("[None, None]", "[1.0, 100.0]")],
    "enrich": [("[None, None, None]", "[2.0, 4.0, None]")],
    "alert": [("[None, None])", "[100.0, 120.0])")],
    "step": [('float("nan")', "3.0")],
    "read": [
        (f'{_RAISE}("write readings into the folder, and return a source for them")\n', ""),
        ("        # Path(", "        Path("),
        ("        # return", "        return"),
    ],
    "write": [
        (f'{_RAISE}("return the sink with this folder as its target")\n', ""),
        ("        # return", "        return"),
    ],
}
JOB = """
pipeline:
  transforms:
    - type: CsvFolder
      config: {folder: IN, event_time: at, time_unit: milliseconds}
    - type: Plausible
      input: CsvFolder
    - type: Scaling
      input: Plausible
      config: {factor: 10}
    - type: Rise
      input: Scaling
      config: {by: [sensor_id]}
    - type: Aggregate
      input: Scaling
      config: {every: 1 h, by: [sensor_id], measures: {mean: average(scaled)}}
    - type: Detect
      input: Scaling
      config: {of: value, by: [sensor_id], with: {jump: {limit: 10}}}
    - type: TooHigh
      input: Scaling
      config: {limit: 50}
    - type: CsvTarget
      name: Rises
      input: Rise
      config: {folder: OUT/rises}
    - type: CsvTarget
      name: Means
      input: Aggregate
      config: {folder: OUT/means}
    - type: CsvTarget
      name: Rejects
      input: Plausible.rejects
      config: {folder: OUT/rejects}
    - type: WriteToLake
      name: Alerts
      input: TooHigh
      config: {lake: OUT/lake, dataset: alerts}
    - type: WriteToLake
      name: Jumps
      input: Detect.alarms
      config: {lake: OUT/lake, dataset: jumps}
"""
READINGS = [(0, "20"), (60_000, "25"), (120_000, "120"), (180_000, ""), (240_000, "60")]
START = 1_772_409_600_000


def fill_in(kind: str, file: Path) -> None:
    """Do what the file asks its author to do."""
    text = file.read_text().replace("TODO: ", "Documented: ")
    for place, filled in FILLED[kind]:
        assert place in text, place
        text = text.replace(place, filled)
    file.write_text(text)


@pytest.mark.parametrize("kind", NAMES)
def test_a_new_part_breaks_laws_that_say_what_to_do_and_obeys_once_filled_in(
    kind: str, tmp_path: Path, tocsin: Any
) -> None:
    code, out, _ = tocsin("new", kind, NAMES[kind], "--to", tmp_path)
    assert code == 0
    (file,) = tmp_path.rglob(f"{NAMES[kind]}.py")
    assert f"fill in what says TODO, then: tocsin laws {file}" in out
    code, out, _ = tocsin("laws", file)
    assert code == 1
    assert "still says TODO" in out
    file.write_text(file.read_text().replace("TODO: ", "Documented: "))
    code, out, _ = tocsin("laws", file)
    asked = "NotImplementedError: " if kind in ("read", "write") else "the example says"
    assert (code, asked in out) == (1, True), out
    fill_in(kind, file)
    code, out, _ = tocsin("laws", file)
    assert (code, " 0 failed" in out) == (0, True), out
    code, _, err = tocsin("new", kind, NAMES[kind], "--to", tmp_path)
    assert (code, "is already there" in err) == (2, True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a part of each kind, after its job has run."""
    project = tmp_path_factory.mktemp("project")
    for kind, name in NAMES.items():
        done = run_command("new", kind, name, cwd=project)
        assert done.returncode == 0, done.stderr
        (file,) = project.rglob(f"{name}.py")
        fill_in(kind, file)
    for folder in ("in", "rises", "means", "rejects", "lake"):
        (project / folder).mkdir()
    with (project / "in" / "readings.csv").open("w", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(["sensor_id", "at", "value"])
        rows.writerows(["s1", START + at, value] for at, value in READINGS)
    job = JOB.replace("IN", str(project / "in")).replace("OUT", str(project))
    (project / "job.yaml").write_text(job)
    done = run_command("run", "job.yaml", cwd=project)
    assert done.returncode == 0, done.stderr[-3000:]
    return project


def written(folder: Path) -> list[dict[str, str]]:
    """The rows of a sink's CSV files."""
    return [row for file in sorted(folder.glob("*.csv")) for row in csv.DictReader(file.open())]


def test_a_job_reads_cleans_enriches_and_writes_with_the_new_parts(ran: Path) -> None:
    rows = written(ran / "rises")
    assert [(row["value"], row["scaled"], row["rise"]) for row in rows] == [
        ("20", "200", ""),
        ("25", "250", "5"),
        ("60", "600", "35"),
    ]


def test_a_job_aggregates_with_a_new_aggregation(ran: Path) -> None:
    assert [float(row["mean"]) for row in written(ran / "means")] == [350.0]


def test_a_new_clean_part_rejects_with_its_reason(ran: Path) -> None:
    rows = written(ran / "rejects")
    assert [row["message"] for row in rows] == ["value is over 100"]


def test_a_job_raises_alarms_with_new_detectors_and_alerts(ran: Path) -> None:
    found = {}
    for dataset in ("alerts", "jumps"):
        files = sorted((ran / "lake" / dataset).rglob("*.parquet"))
        alarms = pa.concat_tables([parquet.ParquetFile(file).read() for file in files])
        found[dataset] = [
            (row["observed"], row["event"]) for row in alarms.to_pylist() if row["event"] == "raise"
        ]
    assert found == {"alerts": [(60.0, "raise")], "jumps": [(60.0, "raise")]}


def test_a_name_that_a_part_has_is_refused(tmp_path: Path, tocsin: Any) -> None:
    code, _, err = tocsin("new", "aggregation", "mean", "--to", tmp_path)
    assert code == 2
    assert "'mean' is the name of the part in" in err
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_cannot_be_loaded_is_reported(tmp_path: Path, tocsin: Any) -> None:
    file = tmp_path / "broken.py"
    file.write_text("raise ValueError('the kind must be one of count, sum')\n")
    code, _, err = tocsin("laws", file)
    assert code == 2
    assert "broken.py cannot be loaded: ValueError: the kind must be one of count, sum" in err
    assert "Traceback" not in err
