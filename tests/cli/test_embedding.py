"""A program that embeds Tocsin keeps its own logging."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.packages import ROOT, command_environment

JOB = """
pipeline:
  type: chain
  transforms:
    - {type: ReadFiles, config: {files: readings.parquet, event_time: at}}
    - {type: WriteToLake, config: {lake: lake, dataset: readings}}
"""
PROGRAM = """
import logging, sys
root = logging.getLogger()
root.setLevel(logging.INFO)
handler = logging.StreamHandler(sys.stdout)
root.addHandler(handler)
root.info("before")
{run}
root.info("after")
assert root.level == logging.INFO, root.level
assert root.handlers == [handler], root.handlers
"""
RUN = """
from tocsin.compiler.checker import check_file
from tocsin.engines.beam.running import run_bounded
level = logging.getLogger("apache_beam").level
run_bounded(check_file("job.yaml")[0])
assert logging.getLogger("apache_beam").level == level
assert root.filters == []
"""
COMMAND = """
from tocsin.cli.main import main
try:
    main(["run", "job.yaml"])
except SystemExit as leaving:
    assert leaving.code == 0
"""


@pytest.mark.parametrize("run", [RUN, COMMAND], ids=["library", "command"])
def test_the_root_logger_of_an_embedding_program_stays_as_it_is(run: str, tmp_path: Path) -> None:
    columns = {"at": pa.array([0], pa.timestamp("ms", "UTC")), "value": [1.0]}
    parquet.write_table(pa.table(columns), tmp_path / "readings.parquet")
    (tmp_path / "job.yaml").write_text(JOB)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(run=run)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=command_environment(ROOT),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "before" in lines
    assert lines[-1] == "after"
    assert list((tmp_path / "lake").rglob("*.parquet"))
