"""A job cares for the tables that it writes, and a failure of the care does not stop it."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.lakes import HOUR, START, partitioned
from tests.support.tables import live_rows
from tocsin.foundation.failure import Failure
from tocsin.lake.datasets import files_of
from tocsin.parts.registry import find
from tocsin.table import care
from tocsin.table.care import EVERY, TableCare


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(care, "EVERY", 12)


def sink(lake: Path, **config: Any) -> Any:
    made = find("write", "write_to_lake")(
        **{"lake": str(lake), "dataset": "d", "span": "1 h", **config}
    )
    made.set_step_name("city/Store")
    return made


def write(one: Any, hours: range) -> None:
    for hour in hours:
        one.write(
            partitioned(pa.array([hour]), at=START + hour * HOUR), f"{START + hour * HOUR}.s000.r0"
        )
        one.flush()
        if one._writer.care is not None:
            one._writer.care.wait()


def checkpoints(lake: Path) -> list[int]:
    paths = (lake / "d" / "_delta_log").glob("*.checkpoint.parquet")
    return sorted(int(path.name.split(".")[0]) for path in paths)


def test_a_job_writes_checkpoints_of_its_logs(tmp_path: Path) -> None:
    write(sink(tmp_path), range(25))
    assert checkpoints(tmp_path) == [12, 24]
    assert len(live_rows(tmp_path, "d")) == 25
    assert len(files_of(tmp_path / "d", "3")) == 3, "versions of the last 7 days stay"
    # The next process continues behind the checkpoint, and adds nothing twice.
    write(sink(tmp_path), range(26))
    assert len(live_rows(tmp_path, "d")) == 26


def test_the_care_can_be_turned_off(tmp_path: Path) -> None:
    write(sink(tmp_path, maintenance=False), range(13))
    assert checkpoints(tmp_path) == []


@pytest.mark.parametrize("error", [Failure("no disk"), OSError("no disk"), ValueError("no disk")])
def test_a_failure_is_logged_and_counted_and_the_job_continues(
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise error

    real = care.checkpoint
    monkeypatch.setattr(care, "checkpoint", fails)
    one = sink(tmp_path)
    with caplog.at_level(logging.WARNING, "tocsin.lake"):
        write(one, range(13))
    assert one._writer.care.failures == 1
    assert "no disk" in caplog.text
    assert checkpoints(tmp_path) == []
    monkeypatch.setattr(care, "checkpoint", real)
    write(one, range(13, 25))
    assert checkpoints(tmp_path) == [24]


def test_a_flush_does_not_wait_for_the_care(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()
    begun: list[int] = []
    monkeypatch.setattr(care, "checkpoint", lambda *_, **__: (begun.append(1), free.wait(20)))
    one = TableCare(str(tmp_path))
    one.after(12)
    one.after(24)
    one.after(36)
    free.set()
    one.wait()
    assert begun == [1], "one at a time"


def test_a_vacuum_runs_once_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[float] = []
    monkeypatch.setattr(care, "vacuum", lambda _, delay: runs.append(delay))
    one, real = sink(tmp_path), time.time
    write(one, range(25))
    same_day = len(runs)
    now = real()
    monkeypatch.setattr(time, "time", lambda: now + 86_400)
    write(one, range(25, 49))
    assert runs[same_day:] == [7 * 86_400.0]
    assert same_day <= 2, "midnight may have passed"


def test_a_hundred_commits_are_the_interval() -> None:
    assert EVERY == 100
