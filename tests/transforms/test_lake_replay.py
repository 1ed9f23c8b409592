"""A process dies at each step of a commit, and all its units are written again: each row once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.lakes import HOUR, START, batch_of, partitioned
from tests.support.tables import live_files, strays, table_of, values
from tests.transforms.lake_process import SHARDS, name_of, write_all
from tocsin.foundation.failpoint import FAILPOINTS_VARIABLE, LAKE
from tocsin.foundation.failure import Failure
from tocsin.parts.registry import find
from tocsin.table.commit import Change, commit

PROGRAM = "tests.transforms.lake_process"
ROUNDS = 3
EVERY = sorted(
    name_of(shard, quarter, revision)
    for shard in range(SHARDS)
    for moment in range(ROUNDS)
    for quarter, revision in ((moment, 0), (moment - 2, 1))
    if quarter >= 0
)


def start(lake: Path, run: str, failpoints: Path) -> subprocess.Popen[Any]:
    failpoints.mkdir(exist_ok=True)
    environment = {**os.environ, FAILPOINTS_VARIABLE: str(failpoints)}
    return subprocess.Popen(
        [sys.executable, "-m", PROGRAM, str(lake), run, str(ROUNDS)], env=environment
    )


@pytest.mark.parametrize("run", ["", "run1"], ids=["live", "bounded"])
@pytest.mark.parametrize("name", LAKE)
def test_replay_after_a_crash_leaves_each_row_once(name: str, run: str, tmp_path: Path) -> None:
    lake, failpoints = tmp_path / "lake", tmp_path / "failpoints"
    failpoints.mkdir()
    (failpoints / name).touch()
    assert start(lake, run, failpoints).wait(60) == -signal.SIGKILL
    assert not (failpoints / name).exists()
    write_all(lake, run, ROUNDS)
    assert values(lake, "places", "place") == EVERY
    version = table_of(lake, "places").version
    # A third attempt, from the beginning, adds no row and leaves no file.
    before = strays(lake, "places")
    write_all(lake, run, ROUNDS)
    assert values(lake, "places", "place") == EVERY
    assert (table_of(lake, "places").version, strays(lake, "places")) == (version, before)


@pytest.mark.parametrize("seed", range(2))
def test_writers_of_one_step_that_are_killed_at_random_leave_each_row_once(
    seed: int, tmp_path: Path
) -> None:
    import random

    chance = random.Random(seed)
    lake = tmp_path / "lake"
    for _ in range(2):
        running = start(lake, "", tmp_path / "failpoints")
        time.sleep(chance.uniform(0.6, 1.3))
        running.kill()
        running.wait(10)
    other = start(lake, "", tmp_path / "failpoints")
    write_all(lake, "", ROUNDS)
    assert other.wait(60) == 0
    assert values(lake, "places", "place") == EVERY


def sink(lake: Path) -> Any:
    made = find("write", "write_to_lake")(lake=str(lake), dataset="locks", span="1 h")
    made.set_step_name("city/locks")
    return made


def test_a_writer_that_was_taken_for_dead_adds_nothing_twice(tmp_path: Path) -> None:
    zombie, successor = sink(tmp_path), sink(tmp_path)
    for hour in range(2):
        zombie.write(batch_of(hour), f"{START + hour * HOUR}.s000.r0")
    for hour in range(3):
        successor.write(batch_of(hour), f"{START + hour * HOUR}.s000.r0")
        successor.flush()
    expected = values(tmp_path, "locks", "value")
    zombie.flush()
    assert values(tmp_path, "locks", "value") == expected
    assert strays(tmp_path, "locks") == []
    # It may be ahead; then the other one adds nothing.
    zombie.write(batch_of(3), f"{START + 3 * HOUR}.s000.r0")
    zombie.flush()
    version = table_of(tmp_path, "locks").version
    successor.write(batch_of(3), f"{START + 3 * HOUR}.s000.r0")
    successor.flush()
    assert len(values(tmp_path, "locks", "value")) == len(expected) * 4 // 3
    assert table_of(tmp_path, "locks").version == version


def test_rows_that_were_erased_do_not_come_with_a_replay(tmp_path: Path) -> None:
    one = sink(tmp_path)
    one.write(batch_of(0), f"{START}.s000.r0")
    one.flush()
    commit(str(tmp_path / "locks"), lambda table: Change("DELETE", removes=table.files()))
    for again in (one, sink(tmp_path)):
        again.write(batch_of(0), f"{START}.s000.r0")
        again.flush()
    assert live_files(tmp_path, "locks") == []


def test_the_units_of_an_advance_are_one_commit(tmp_path: Path) -> None:
    one = sink(tmp_path)
    for hour in range(5):
        one.write(batch_of(hour), f"{START + hour * HOUR}.s000.r0")
    one.flush()
    table = table_of(tmp_path, "locks")
    assert (table.version, len(table.files())) == (1, 5)
    assert table.mark("city/locks//s000") == START + 5 * HOUR
    one.flush()
    assert table_of(tmp_path, "locks").version == 1


def test_a_unit_with_a_number_is_written_behind_its_mark_and_once(tmp_path: Path) -> None:
    for _ in range(2):
        one = sink(tmp_path)
        for name in (f"{START + HOUR}.s000.r0", f"{START}.s000.r0.1", f"{START}.s000.r0.2"):
            one.write(batch_of(0), name)
            one.flush()
    assert len(live_files(tmp_path, "locks")) == 3


def test_units_of_an_advance_that_failed_are_not_in_a_later_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import parquet

    one, write_table = sink(tmp_path), parquet.write_table
    one.write(batch_of(0), f"{START}.s003.r0")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet, "write_table", full)
    with pytest.raises(Failure, match="No space left"):
        one.write(batch_of(1), f"{START + HOUR}.s003.r0")
    monkeypatch.setattr(parquet, "write_table", write_table)
    one.write(batch_of(2), f"{START + 2 * HOUR}.s000.r0")
    one.flush()
    assert len(live_files(tmp_path, "locks")) == 1
    assert strays(tmp_path, "locks") == []
    assert table_of(tmp_path, "locks").mark("city/locks//s003") is None


def test_a_unit_that_is_written_twice_before_its_commit_is_there_once(tmp_path: Path) -> None:
    one = sink(tmp_path)
    for _ in range(2):
        one.write(batch_of(0), f"{START}.s000.r0")
    one.flush()
    assert len(live_files(tmp_path, "locks")) == 1
    assert strays(tmp_path, "locks") == []


def test_an_advance_without_rows_makes_no_commit(tmp_path: Path) -> None:
    one = sink(tmp_path)
    one.flush()
    one.end(0)
    assert not (tmp_path / "locks").exists()
    one.write(partitioned(pa.array(["a"])).slice(0, 0), f"{START}.s000.r0")
    one.flush()
    assert table_of(tmp_path, "locks").version == 0
