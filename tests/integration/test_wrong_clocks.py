"""A job over a topic whose devices stamp their own messages, some with a clock a day ahead."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tocsin.compiler.backfill_job import from_archive
from tocsin.compiler.checker import check_text
from tocsin.compiler.job import Job
from tocsin.foundation.ledger import Ledger
from tocsin.lake.query import open_lake

Pair = tuple[str, int]
"""A device, and the start of a window in milliseconds."""

NOW, DAY, ROUNDS, DEVICES = 1_772_445_600_000, 86_400_000, 60, 10
SCHEMA = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadTelemetry
      name: Read
      config: {{topic: t, schema: r.avsc, event_time: at, format: json, out_of_orderness: 30 s,
               archive: {{lake: archive, dataset: raw}}, batch_rows: {rows}}}
    - type: Aggregate
      config: {{every: 10 s, window: 30 s, by: [id], measures: {{n: count()}}}}
  extra_transforms:
    - type: WriteToLake
      name: Out
      input: Aggregate
      config: {{lake: {lake}, dataset: results}}
    - type: WriteToLake
      name: Late
      input: Aggregate.late
      config: {{lake: {lake}, dataset: late}}
"""


def messages(wrong: int) -> list[tuple[bytes, None, int, int]]:
    """A message of each device every 5 s, some of them delayed; the first devices are ahead."""
    random = np.random.default_rng(11)
    found = []
    for number in range(ROUNDS):
        for device in range(DEVICES):
            delay = 70_000 if random.random() < 0.03 else int(random.integers(0, 20_000))
            at = NOW + number * 5_000 - delay + (DAY if device < wrong else 0)
            value = json.dumps({"id": f"d{device}", "at": at}).encode()
            found.append((value, None, at, device % 2))
    return found


def expected(wrong: int) -> tuple[Counter[Pair], Counter[Pair]]:
    """Readings of the right devices by device and window: those that count, and those that do not.

    The clock of a partition is the greatest time of its right devices, after 8 messages.
    """
    kept: Counter[Pair] = Counter()
    missed: Counter[Pair] = Counter()
    clocks, heard = {0: 0, 1: 0}, Counter[int]()
    for value, _, at, partition in messages(wrong):
        name = json.loads(value)["id"]
        mark = clocks[partition] - 30_000 if heard[partition] >= 8 else 0
        heard[partition] += 1
        if int(name[1:]) < wrong:
            continue
        clocks[partition] = max(clocks[partition], at)
        for start in range(at // 10_000 * 10_000 - 20_000, at + 1, 10_000):
            (kept if start + 30_000 > mark else missed)[name, start] += 1
    return kept, missed


def found(lake: Path, wrong: int) -> tuple[Counter[Pair], Counter[Pair]]:
    """The same from the lake: `n` of each window, and the windows that each late row missed."""
    connection, _ = open_lake(lake)
    right = [f"d{device}" for device in range(wrong, DEVICES)]
    kept: Counter[Pair] = Counter()
    missed: Counter[Pair] = Counter()
    for name, start, n in connection.execute(
        "select id, epoch_ms(window_start), n from results"
    ).fetchall():
        if name in right:
            kept[name, start] += n
    query = "select id, epoch_ms(first_missed), epoch_ms(last_missed) from late"
    for name, first, last in connection.execute(query).fetchall():
        if name in right:
            missed.update((name, start) for start in range(first, last + 1, 10_000))
    return kept, missed


def run(job: Job) -> Ledger:
    from tocsin.engines.beam.running import run_bounded

    ledger = run_bounded(job)
    assert ledger.balances
    return ledger


def rows_of(lake: Path) -> dict[str, list[Any]]:
    """All rows and revisions of both datasets."""
    connection, _ = open_lake(lake)
    return {
        name: sorted(connection.execute(f"select * from {name}_all").fetchall(), key=str)
        for name in ("results", "late")
    }


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "r.avsc").write_text(json.dumps(SCHEMA))
    monkeypatch.chdir(tmp_path)

    def made(lake: str, rows: int) -> Job:
        return check_text(str(tmp_path / "job.yaml"), JOB.format(lake=lake, rows=rows))[0]

    return made


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_wrong_clocks_change_nothing_for_the_other_devices(
    wrong: int, kafka: Any, send: Any, job: Any, tmp_path: Path
) -> None:
    send("t", messages(wrong))
    ledger = run(job("one", 20_000))
    assert bool(ledger.steps["Read"].ahead) is (wrong > 0)
    kept, missed = expected(wrong)
    assert found(tmp_path / "one", wrong) == (kept, missed)
    assert sum(missed.values()) > 20
    run(job("two", 13))
    assert rows_of(tmp_path / "two") == rows_of(tmp_path / "one"), "in other batches"
    run(from_archive(job("three", 20_000), str(tmp_path / "archive")))
    assert rows_of(tmp_path / "three") == rows_of(tmp_path / "one"), "from the archive"
