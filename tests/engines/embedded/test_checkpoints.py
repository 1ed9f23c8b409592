"""A job that is restored has the state, the rows, the times and the positions that it had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tocsin.compiler.checker import check_text
from tocsin.compiler.job import Job
from tocsin.engines.embedded.assembly import assemble
from tocsin.engines.embedded.checkpoints import Checkpoints
from tocsin.engines.embedded.keyed_node import KeyedNode
from tocsin.engines.embedded.rounds import Rounds
from tocsin.engines.embedded.source_reader import SourceReader
from tocsin.foundation.failure import Mistake
from tocsin.simulator.city import City
from tocsin.simulator.systems import system_of

JOB = """
pipeline:
  transforms:
    - type: ReadFiles
      config: {files: FOLDER/r.parquet, event_time: observed_at, out_of_orderness: 30 s,
               allowed_lateness: 5 min, max_ahead: 18 h, batch_rows: 500}
    - {type: Deduplicate, input: ReadFiles, config: {by: [sensor_id, metric]}}
    - type: QualityControl
      input: Deduplicate
      config: {of: value, by: [sensor_id, metric], lookahead: 2 min,
               tests: {spike: {suspect: 60, fail: 200}, flat_line: {suspect: 15 min, fail: 1 h}}}
    - type: Aggregate
      input: QualityControl
      config: {every: 1 min, by: [sensor_id, metric], measures: {mean: mean(value)}}
    - type: Detect
      input: Aggregate
      config: {of: mean, by: [sensor_id, metric], with: {missing_data: {after: 4 min}}}
    - {type: ManageAlarms, input: {alarms: Detect.alarms}}
    - {type: WriteToLake, input: ManageAlarms, config: {lake: FOLDER/lake, dataset: alarms}}
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))
    simulated = system_of(City(sensors=5, duration=3_600_000_000, late=0.01))
    parquet.write_table(pa.Table.from_batches(list(simulated.readings())), tmp_path / "r.parquet")
    return job_of(tmp_path)


def job_of(folder: Path, text: str = JOB) -> Job:
    return check_text(str(folder / "job.yaml"), text.replace("FOLDER", str(folder)))[0]


def started(job: Job, checkpoints: Checkpoints) -> tuple[Rounds, list[SourceReader]]:
    counts = checkpoints.counts()
    assembly = assemble(job, counts)
    readers = [
        SourceReader(name, source, counts, live=False, positions=checkpoints.positions(name))
        for name, source in assembly.sources.items()
    ]
    rounds = Rounds(assembly, readers, counts)
    checkpoints.restore(rounds)
    return rounds, readers


def contents(rounds: Rounds, readers: list[SourceReader]) -> dict[str, Any]:
    nodes = [one.node for one in rounds.assembly.places if isinstance(one.node, KeyedNode)]
    shards = {
        f"{node.name} {number}": (
            [bytes(piece) for piece in shard.state],
            [(batch.to_pylist(), batch.schema.metadata) for batch in shard.log],
            shard.due,
        )
        for node in nodes
        for number, shard in node.shards.items()
    }
    positions = [position for reader in readers for position in reader.positions()]
    return {"shards": shards, "positions": positions, "counts": rounds.counts.by_step()}


def test_a_restored_job_is_the_job_that_was_there(job: Job, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "state", job)
    rounds, readers = started(job, checkpoints)
    seen = 0
    while not rounds.has_ended:
        rounds.play(700)
        checkpoints.write(rounds, readers)
        wanted = contents(rounds, readers)
        checkpoints.close()
        checkpoints = Checkpoints(tmp_path / "state", job)
        rounds, readers = started(job, checkpoints)
        found = contents(rounds, readers)
        for what, value in wanted.items():
            # Times of work are counted on.
            assert found[what] == value, what
        seen += sum(bool(state or log) for state, log, _ in wanted["shards"].values())
        if rounds.readers[0].watermark > 1 << 60:
            break
    assert seen > 30
    assert rounds.counts.by_step()["Detect"]["alarms"] > 0


def test_a_checkpoint_writes_what_is_new(job: Job, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "state", job)
    rounds, readers = started(job, checkpoints)
    rounds.play(700)
    assert checkpoints.write(rounds, readers) > 0
    assert checkpoints.write(rounds, readers) == 0


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("every: 1 min", "every: 2 min", "step 'Aggregate' window 'size' was 60 s and is 120 s"),
        ("r.parquet", "other.parquet", "step 'ReadFiles'"),
        ("type: Detect\n", "type: Detect\n      name: Silent\n", "step 'Detect' is gone"),
    ],
)
def test_a_job_that_would_lose_state_is_refused(
    before: str, after: str, why: str, job: Job, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(tmp_path / "state", job)
    rounds, readers = started(job, checkpoints)
    rounds.play(700)
    checkpoints.write(rounds, readers)
    checkpoints.close()
    (tmp_path / "other.parquet").write_bytes((tmp_path / "r.parquet").read_bytes())
    text = JOB.replace(before, after)
    if "Silent" in after:
        text = text.replace("Detect.alarms", "Silent.alarms")
    with pytest.raises(Mistake) as failure:
        Checkpoints(tmp_path / "state", job_of(tmp_path, text))
    assert why in failure.value.sentence
    # The folder is free again.
    Checkpoints(tmp_path / "state", job).close()
