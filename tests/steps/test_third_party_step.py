"""A package of a third party adds a step with state: nothing in Tocsin knows its class."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.packages import ROOT, install_package, run_command, write_parts
from tocsin.cli.console import DONE, WRONG

STEP = (ROOT / "tests/support/first_rows.py").read_text()
READINGS = ROOT / "tests/errors/readings.parquet"
JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadFiles
      config: {files: READINGS, event_time: at}
    - type: acme/FirstRows
      config: {by: [sensor], count: 1}
    - type: WriteToLake
      config: {lake: LAKE, dataset: first}
tests:
  - name: the first row of each sensor
    given:
      ReadFiles:
        columns: [sensor, at, value]
        rows:
          - [a, "1970-01-01T00:00:00Z", 1.0]
          - [a, "1970-01-01T00:00:01Z", 2.0]
          - [b, "1970-01-01T00:00:02Z", 3.0]
    expect:
      FirstRows: {columns: [sensor, value], rows: [[a, 1.0], [b, 3.0]]}
      FirstRows.more: {columns: [value], rows: [[2.0]]}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return install_package(tmp_path / "site", "acme", {"steps/first_rows.py": STEP})


@pytest.fixture
def job(tmp_path: Path) -> Path:
    lake = tmp_path / "lake"
    lake.mkdir()
    readings = tmp_path / "readings.parquet"
    shutil.copy(READINGS, readings)
    file = tmp_path / "job.yaml"
    file.write_text(JOB.replace("READINGS", str(readings)).replace("LAKE", str(lake)))
    return file


def changed(job: Path, old: str, new: str) -> Path:
    """The same job in another file, with one change."""
    text = job.read_text()
    assert old in text
    file = job.with_name("changed.yaml")
    file.write_text(text.replace(old, new))
    return file


def test_it_obeys_the_laws(site: Path) -> None:
    done = run_command("laws", site / "acme_parts/steps/first_rows.py", site=site)
    assert (done.returncode, "0 failed" in done.stdout) == (0, True), done.stdout


def test_a_job_with_it_is_checked_tested_and_planned(site: Path, job: Path) -> None:
    for arguments, expected in (
        (("check", job), "3 steps, 1 tests, good"),
        (("test", job), "1 passed, 0 failed"),
        (("plan", job), "keys: sensor"),
        (("plan", job), "state: how many rows of each key it has seen"),
        (("list",), "acme/FirstRows"),
        (("explain", "acme/FirstRows"), "Keeps the first rows of each key"),
    ):
        done = run_command(*arguments, site=site)
        assert done.returncode == 0, done.stderr[-2000:]
        assert expected in done.stdout


def test_a_job_with_it_runs(site: Path, job: Path) -> None:
    done = run_command("run", job, site=site)
    assert done.returncode == 0, done.stderr[-2000:]
    files = sorted((job.parent / "lake").rglob("*.parquet"))
    written = pa.concat_tables([parquet.ParquetFile(file).read() for file in files])
    expected = set(parquet.read_table(READINGS).column("sensor").to_pylist())
    assert sorted(written.column("sensor").to_pylist()) == sorted(expected)


def test_a_change_of_its_keys_loses_state_and_another_setting_keeps_it(
    site: Path, job: Path
) -> None:
    keys = changed(job, "by: [sensor]", "by: [sensor, value]")
    done = run_command("plan", keys, "--diff", job, site=site)
    assert done.returncode == WRONG
    assert "`by` was [sensor] and is [sensor, value]" in done.stdout
    assert "how many rows of each key it has seen would be lost" in done.stdout
    count = changed(job, "count: 1", "count: 2")
    done = run_command("plan", count, "--diff", job, site=site)
    assert (done.returncode, "keeps all state" in done.stdout) == (DONE, True)


def test_its_mistakes_are_reported_with_their_place(site: Path, job: Path) -> None:
    done = run_command("check", changed(job, "by: [sensor]", "by: [sensr]"), site=site)
    assert done.returncode == WRONG
    assert "no column 'sensr'" in done.stderr + done.stdout
    assert "did you mean 'sensor'" in done.stderr + done.stdout


def test_a_project_adds_a_step_too(tmp_path: Path, job: Path) -> None:
    write_parts(tmp_path / "parts", {"steps/first_rows.py": STEP})
    (tmp_path / "tocsin.toml").write_text("")
    mine = changed(job, "acme/FirstRows", "FirstRows")
    done = run_command("test", mine, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "1 passed, 0 failed" in done.stdout


def test_a_step_with_the_name_of_a_built_in_one_is_refused(tmp_path: Path, job: Path) -> None:
    text = STEP.replace("class FirstRows(", "class Aggregate(")
    write_parts(tmp_path / "parts", {"steps/aggregate.py": text})
    (tmp_path / "tocsin.toml").write_text("")
    done = run_command("check", job, cwd=tmp_path)
    assert done.returncode != 0
    assert "'Aggregate' is a built-in step" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


FILLED = {
    "TODO: what it adds, in a few words.": "The change since the row before.",
    "TODO: the column that it adds, with its unit, and when it is null.": (
        "Adds `rise`, in the unit of `of`; null for the first row of a key."
    ),
    'float("nan")': "3.0",
}


def test_a_generated_step_obeys_the_laws_and_runs_in_a_job(tmp_path: Path, job: Path) -> None:
    done = run_command("new", "step", "rise", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "parts/steps/rise.py"
    done = run_command("laws", file, cwd=tmp_path)
    assert done.returncode != 0
    assert "examples hold" in done.stdout
    for todo, text in FILLED.items():
        assert todo in file.read_text()
        file.write_text(file.read_text().replace(todo, text))
    assert "TODO" not in file.read_text()
    done = run_command("laws", file, cwd=tmp_path)
    assert (done.returncode, "0 failed" in done.stdout) == (0, True), done.stdout
    text = job.read_text().replace("acme/FirstRows", "Rise").replace(", count: 1", "")
    text = text.replace(
        "FirstRows: {columns: [sensor, value], rows: [[a, 1.0], [b, 3.0]]}",
        ("Rise: {columns: [sensor, rise], rows: [[a, null], [a, 1.0], [b, null]]}"),
    ).replace("      FirstRows.more: {columns: [value], rows: [[2.0]]}\n", "")
    job.write_text(text)
    done = run_command("test", job, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout
    assert "1 passed, 0 failed" in done.stdout
