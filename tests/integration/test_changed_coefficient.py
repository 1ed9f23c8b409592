"""A corrected coefficient: its windows are computed again, and no other file changes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tocsin.cli.publishing import Publisher
from tocsin.kafka.connection import Kafka
from tocsin.lake.datasets import files_of
from tocsin.lake.query import open_lake
from tocsin.simulator.city import City
from tocsin.simulator.systems import SYSTEMS, system_of

ROOT = Path(__file__).parents[2]
HOUR = 3_600_000_000
JOB = """
pipeline:
  transforms:
    - type: ReadTelemetry
      config:
        topic: air
        schema: schemas/air_reading.avsc
        event_time: observed_at
        allowed_lateness: 10 min
        archive: {lake: "${FOLDER}/archive", dataset: raw_air}
    - {type: Deduplicate, input: ReadTelemetry, config: {by: [sensor_id, metric]}}
    - type: Enrich
      input: Deduplicate
      config: {table: "${FOLDER}/coefficients.csv", by: [sensor_id], add: [slope],
               valid_from: valid_from, valid_to: valid_to}
    - {type: Derive, input: Enrich, config: {columns: {corrected: value * slope}}}
    - {type: Aggregate, input: Derive, config: {every: 5 min, by: [sensor_id, metric],
       measures: {mean: mean(corrected), n: count()}}}
    - {type: WriteToLake, input: Aggregate, config: {lake: "${FOLDER}/${NAME}", dataset: windows,
       partition_by: [date, sensor_id], span: 5 min}}
"""
TABLE = """sensor_id,slope,valid_from,valid_to
air-00000,1.0,2026-03-01T00:00:00Z,
air-00001,1.0,2026-03-01T00:00:00Z,2026-03-02T00:22:00Z
air-00001,{slope},2026-03-02T00:22:00Z,2026-03-02T00:41:00Z
air-00001,1.5,2026-03-02T00:41:00Z,
air-00002,0.9,2026-03-01T00:00:00Z,
"""
# The five-minute windows of the time from 00:22 to 00:41.
AFFECTED = {f"data/2026-03-02/20260302T00{minute:02}00Z" for minute in (20, 25, 30, 35, 40)}


def tocsin(*arguments: object) -> tuple[int, str, str]:
    """The command in a new process, because a process reads a table once."""
    command = [sys.executable, "-m", "tocsin", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def given(kafka: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a job and its lake of 90 minutes, with some late readings."""
    city = City(
        system="air",
        sensors=3,
        duration=HOUR * 3 // 2,
        cadence=60_000_000,
        late=0.02,
        duplicated=0.01,
    )
    simulated = system_of(city)
    publisher = Publisher(
        Kafka(), "air", (ROOT / "schemas" / SYSTEMS["air"].schema).read_text(), 0, key=simulated.key
    )
    for batch in simulated.readings():
        publisher.publish(batch)
    publisher.flush()
    kafka.ensure_whole("air")
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))
    monkeypatch.setenv("TOCSIN_VARIABLES", "FOLDER,NAME")
    monkeypatch.setenv("FOLDER", str(tmp_path))
    monkeypatch.setenv("NAME", "lake")
    (tmp_path / "job.yaml").write_text(JOB)
    (tmp_path / "coefficients.csv").write_text(TABLE.format(slope=1.2))
    assert tocsin("run", tmp_path / "job.yaml")[0] == 0
    return tmp_path


def touched(lake: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of each live file, by its path in the dataset."""
    found = {}
    for file in files_of(lake / "windows"):
        found[str(file.relative_to(lake / "windows"))] = (
            file.stat().st_ino,
            file.stat().st_mtime_ns,
        )
    return found


def units(names: Iterable[str]) -> list[str]:
    """Paths of files up to the part of their names that is never used again."""
    return sorted(name.rpartition("-")[0] for name in names)


def rows(lake: Path) -> Any:
    connection, _ = open_lake(lake)
    return connection.execute("select * from windows_all order by all").fetchall()


@pytest.mark.parametrize("since", [(), ("--since", "2026-03-02T00:22:00Z", "--warm-up", "20 min")])
def test_only_the_windows_of_the_coefficient_are_rewritten(
    given: Path, since: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = given
    lake = folder / "lake"
    before = touched(lake)
    archive = ("--archive", folder / "archive")
    # Without a change, nothing is written.
    code, out, err = tocsin("backfill", folder / "job.yaml", *archive, "--json")
    assert code == 0, err
    assert json.loads(out)["files"] == [
        {
            "dataset": "windows",
            "same": len(before),
            "changed": [],
            "new": [],
            "gone": [],
            "kept": [],
        }
    ]
    assert touched(lake) == before

    (folder / "coefficients.csv").write_text(TABLE.format(slope=1.3))
    code, out, err = tocsin("backfill", folder / "job.yaml", *archive, *since, "--json")
    assert code == 0, err
    after = touched(lake)
    written = {name for name, known in after.items() if before.get(name) != known}
    assert before.keys() - after.keys() == set(json.loads(out)["files"][0]["changed"])
    assert {name.partition("Z-")[0] + "Z" for name in written} == AFFECTED
    assert any("-r1-" in name for name in before), "late readings revised some windows"
    assert units(after) == units(before)
    assert not [path for path in lake.iterdir() if path.name.startswith(".")]

    # The result equals a run with the right coefficient from the start.
    monkeypatch.setenv("NAME", "right")
    assert tocsin("run", folder / "job.yaml")[0] == 0
    assert rows(lake) == rows(folder / "right")


def test_the_report_lists_files_by_dataset(given: Path) -> None:
    folder = given
    code, out, err = tocsin("backfill", folder / "job.yaml")
    assert code == 0, err
    assert out.splitlines()[0].split() == ["dataset", "same", "changed", "new", "gone", "kept"]
    assert "done in" in err
    code, _, err = tocsin("backfill", folder / "job.yaml", "--since", "yesterday")
    assert code == 1
    assert "--since: 'yesterday' is not a moment; write it like 2026-03-02T10:00:00Z" in err
    code, _, err = tocsin("backfill", folder / "job.yaml", "--warm-up", "long")
    assert code == 1
    assert "--warm-up: 'long' is not a duration" in err
