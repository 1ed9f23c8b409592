"""What the embedded engine refuses, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tocsin.compiler.checker import check_text
from tocsin.compiler.job import Job
from tocsin.engines.embedded.assembly import assemble, leave_out_unread, refuse_foreign_steps
from tocsin.engines.embedded.counts import Counts
from tocsin.engines.embedded.keyed_node import KeyedNode
from tocsin.engines.local import needs_beam, run_to_end
from tocsin.foundation.failure import Mistake

READ = """
pipeline:
  type: chain
  transforms:
    - type: ReadFiles
      config: {files: FOLDER/r.parquet, event_time: at, time_unit: seconds}
"""


def job_of(folder: Path, steps: str) -> Job:
    table = pa.table({"sensor": ["a", "b"], "at": [1_800_000_000, 1_800_000_001], "value": [1, 2]})
    parquet.write_table(table, folder / "r.parquet")
    text = (READ + steps).replace("FOLDER", str(folder))
    return check_text(str(folder / "job.yaml"), text)[0]


@pytest.fixture(autouse=True)
def _allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))


def test_a_transform_of_beam_is_refused_by_name(tmp_path: Path) -> None:
    steps = "    - type: ToRows\n    - {type: MapToFields, config: {fields: {twice: value}}}\n"
    job = job_of(tmp_path, steps)
    assert needs_beam(job)
    with pytest.raises(Mistake, match=r"'\w+' \(\w+\) is a transform of Beam.*--runner direct"):
        refuse_foreign_steps(job)


def test_outputs_that_nothing_reads_are_known(tmp_path: Path) -> None:
    steps = (
        "    - {type: Detect, config: {of: value, by: [sensor], with: {threshold: {above: 1}}}}\n"
    )
    job = job_of(tmp_path, steps)
    assembly = assemble(job, Counts())
    leave_out_unread(assembly, {("Detect", "alarms")})
    (node,) = [place.node for place in assembly.places]
    assert isinstance(node, KeyedNode)
    assert node.operator.unread == set(node.outputs) - {"alarms"}


def test_a_job_without_a_sink_runs(tmp_path: Path) -> None:
    ledger = run_to_end(job_of(tmp_path, "    - {type: Filter, config: {keep: value > 1}}\n"))
    assert ledger.balances
    assert ledger.as_dict()["Filter"]["filtered"] == 1
