"""A process that starts a job compiles nothing that another compiled, and imports no Beam."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tocsin.simulator.city import City
from tocsin.simulator.systems import system_of

ROOT = Path(__file__).parents[2]
MINUTE = 60_000_000

# Checks a job, makes all its operators, and gives them a recording, without a runner.
PROGRAM = """
import json, sys
from tocsin.backtest.engine import Engine
from tocsin.compiler.checker import check_file

job, _ = check_file(sys.argv[1])
outputs = {(step.name, name) for step in job.steps for name in step.outputs}
engine = Engine(job, {one for one in outputs if not one[0].startswith("Read")})

from numba.core import event

class Compilations(event.Listener):
    names = []
    def on_start(self, event):
        self.names.append(event.data["dispatcher"].py_func.__qualname__)
    def on_end(self, event):
        pass

event.register("numba:compile", Compilations())
rows = sum(batch.num_rows for found in engine.run(sys.argv[2]).values() for batch in found)
heavy = {"apache_beam", "grpc", "duckdb", "scipy.linalg"} & sys.modules.keys()
print(json.dumps({"compiled": Compilations.names, "imported": sorted(heavy), "rows": rows}))
"""
JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadFiles
      config: {files: recording.parquet, event_time: observed_at}
    - type: Detect
      config: {of: value, by: [sensor_id, metric], with: {flat_line: {longest: 5}}}
"""


def run(job: str | Path, recording: Path, before: str = "", **variables: str) -> dict[str, Any]:
    """What a process of its own compiled and imported, and how many rows its steps gave."""
    given = {**os.environ, "TOCSIN_ALLOW_FOLDERS": str(recording.parent), **variables}
    done = subprocess.run(
        [sys.executable, "-c", before + PROGRAM, str(job), str(recording)],
        env=given,
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def recorded(folder: Path, system: str) -> Path:
    """Twenty minutes of ten sensors."""
    simulated = system_of(City(system=system, sensors=10, duration=20 * MINUTE))
    parquet.write_table(
        pa.Table.from_batches(list(simulated.readings())), folder / "recording.parquet"
    )
    return folder / "recording.parquet"


@pytest.mark.parametrize(
    ("job", "system"),
    [("air_quality", "air"), ("connected_locks", "locks"), ("traffic", "traffic")],
)
def test_the_second_process_of_a_job_compiles_nothing(
    job: str, system: str, tmp_path: Path
) -> None:
    recording = recorded(tmp_path, system)
    first = run(f"jobs/{job}.yaml", recording)
    second = run(f"jobs/{job}.yaml", recording)
    assert second["compiled"] == []
    assert second["imported"] == []
    assert second["rows"] == first["rows"] > 100


def test_a_process_that_finds_no_machine_code_gives_the_same_rows(tmp_path: Path) -> None:
    """The opposite of the tests above, which shows that they see compilations and imports."""
    recording, job = recorded(tmp_path, "air"), tmp_path / "job.yaml"
    job.write_text(JOB.replace("recording.parquet", str(recording)), "utf-8")
    nowhere = {"NUMBA_CACHE_DIR": str(recording / "folder")}
    beam = "import sys, types; sys.modules['apache_beam'] = types.ModuleType('apache_beam')\n"
    cold, warm = run(job, recording, beam, **nowhere), run(job, recording)
    assert "FlatLine.step" in cold["compiled"]
    assert "apache_beam" in cold["imported"]
    assert cold["rows"] == warm["rows"] > 100
    assert run(job, recording)["compiled"] == []
