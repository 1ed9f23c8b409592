"""Random rounds: processes on one lake at once, killed at any time. `make faults` plays 200."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lake.rounds.facts import Facts
from tests.lake.rounds.snapshot import Snapshot, problems
from tests.lake.rounds.topic import MOMENTS, SHARDS, Topic

ROOT = Path(__file__).resolve().parents[2]


def played(folder: Path, *arguments: str) -> tuple[int, list[Any]]:
    """Play rounds in a process, because a process that has used the library must not fork."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.lake.rounds", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    print(done.stdout, done.stderr)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return done.returncode, [json.loads(line) for line in lines]


def test_ten_rounds_are_right(tmp_path: Path) -> None:
    code, found = played(tmp_path, "--rounds", "10", "--seed", "1")
    assert [one["wrong"] for one in found[:-1]] == [[]] * 10
    assert code == 0
    for what in ("kills", "stalls", "erasures", "compactions", "retentions", "snapshots"):
        assert found[-1][what] > 0, what
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("defect", ["deaf-appenders", "hasty-appenders", "stale-compaction"])
def test_rounds_with_a_defect_are_wrong(defect: str, tmp_path: Path) -> None:
    code, found = played(tmp_path, "--rounds", "3", "--seed", "5", "--defect", defect)
    assert (code, found[-1]["wrong"] > 0) == (1, True)
    # The folder of a wrong round is kept.
    assert [path.is_dir() for path in tmp_path.glob("*/*")]


def judged(rows: list[dict[str, Any]], marks: list[int], *events: dict[str, Any]) -> list[str]:
    facts = Facts(list(events))
    return problems(Snapshot(0, rows, marks), Topic(1), facts, facts)


def rows_up_to(marks: list[int]) -> list[dict[str, Any]]:
    return [
        {
            "lock_id": one.key,
            "zone": one.zone,
            "value": one.value,
            "rule": 0,
            "extra": one.extra,
            "_partition": one.partition,
            "_offset": one.offset,
        }
        for one in Topic(1).readings.values()
        if one.moment <= marks[one.partition]
    ]


MARKS = [2, 0, -1, MOMENTS - 1]
LOST = [-1] * SHARDS


def test_a_version_that_has_the_rows_of_its_marks_is_right() -> None:
    assert judged(rows_up_to(MARKS), MARKS) == []


def test_each_fault_of_a_version_is_found() -> None:
    rows = rows_up_to(MARKS)
    first = rows[0]
    assert "is there 2 times" in judged([*rows, first], MARKS)[0]
    assert "is lost" in judged(rows[1:], MARKS)[0]
    assert "has other values" in judged([{**first, "value": -1.0}, *rows[1:]], MARKS)[0]
    assert "has rows of the rules" in judged([{**first, "rule": 1}, *rows[1:]], MARKS)[0]
    assert "behind its shard" in judged(rows, [1, *MARKS[1:]])[0]
    flushed = {"what": "flushed", "shard": 1, "moment": 1}
    assert "was flushed up to 1" in judged(rows, MARKS, flushed)[0]


def test_an_erased_row_that_is_back_is_found_and_one_that_came_later_is_not() -> None:
    rows, (key, *_) = rows_up_to(MARKS), [row["lock_id"] for row in rows_up_to(MARKS)]
    begun = {"what": "erase", "key": key, "marks": MARKS}
    ended = {"what": "erased", "key": key, "marks": MARKS}
    left = [row for row in rows if row["lock_id"] != key]
    assert judged(left, MARKS, begun, ended) == []
    assert judged(rows, MARKS, begun) == judged(left, MARKS, begun) == []
    assert "was removed before" in judged(rows, MARKS, begun, ended)[0]
    early = [{**one, "marks": LOST} for one in (begun, ended)]
    assert judged(rows, MARKS, *early) == []
    assert "is lost" in judged(left, MARKS, *early)[0]


def test_a_backfill_that_ends_while_a_retention_runs_may_bring_its_rows_back() -> None:
    """The retention may have removed them before the backfill's commit, and said so after it."""
    rows = rows_up_to(MARKS)
    retain = {"what": "retain", "day": 0, "marks": MARKS}
    retained = {"what": "retained", "day": 0, "marks": MARKS}
    backfill = {"what": "backfill", "rule": 1, "without": []}
    backfilled = {"what": "backfilled", "rule": 1}
    assert judged(rows, MARKS, backfill, retain, backfilled, retained) == []
    assert judged(rows, MARKS, retain, retained, backfill, backfilled) == []
    assert "was removed before" in judged(rows, MARKS, backfill, backfilled, retain, retained)[0]
