"""Regular care: checkpoints, vacuum with a delay, folded revisions."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.support.table_files import HOUR, put, readings, rows_of, write_hours, written
from tocsin.foundation import synced as disk
from tocsin.lake.audit import audit_lake
from tocsin.lake.compaction import compact
from tocsin.lake.datasets import files_of, table_of
from tocsin.lake.maintenance import maintain
from tocsin.table import checkpoints
from tocsin.table.leftovers import left_over, vacuum

DAY_S = 86_400


def test_small_files_are_merged_and_removed_files_stay_for_the_delay(tmp_path: Path) -> None:
    write_hours(tmp_path / "d", range(4))
    old = files_of(tmp_path)
    before = rows_of(tmp_path, "d")
    (done,) = maintain(tmp_path)
    assert (done.before, done.after, done.folded, done.deleted) == (4, 1, 0, 0)
    assert all(file.exists() for file in old), "older versions can be queried"
    assert rows_of(tmp_path, "d") == before


def test_a_vacuum_deletes_what_left_before_the_delay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file counts from its removal, however old it is; an orphan from its last write."""
    put(tmp_path / "d", readings(0))
    put(tmp_path / "d", readings(1), 1)
    first, second = files_of(tmp_path)
    for file in (first, second):
        os.utime(file, (1, 1))
    compact(tmp_path, 0)
    young, old = (tmp_path / "d" / written(tmp_path / "d", readings(9)).path for _ in range(2))
    os.utime(old, (1, 1))
    place = str(tmp_path / "d")
    assert left_over(place).old == sorted(
        str(file.relative_to(tmp_path / "d")) for file in (first, second, old)
    )
    assert vacuum(place, 7 * DAY_S) == 1
    assert first.exists()
    assert second.exists()
    assert young.exists()
    assert not old.exists()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7 * DAY_S + 1)
    assert vacuum(place, 7 * DAY_S) == 3
    assert len(rows_of(tmp_path, "d")) == 12


def test_a_delay_below_an_hour_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "d", readings(0))
    with pytest.raises(ValueError, match="an hour at least"):
        vacuum(str(tmp_path / "d"), 3599)
    with pytest.raises(ValueError, match="an hour at least"):
        maintain(tmp_path, delay=HOUR - 1)


def test_a_checkpoint_is_on_the_disk_before_the_log_is_cleaned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in range(11):
        put(tmp_path / "d", readings(hour), hour)
    place, log = str(tmp_path / "d"), tmp_path / "d" / "_delta_log"
    synced: list[str] = []
    real = disk.sync
    monkeypatch.setattr(disk, "sync", lambda path: (synced.append(path.name), real(path)))
    assert checkpoints.checkpoint(place, keep=0) == 11
    assert synced[:2] == [f"{11:020}.checkpoint.parquet", "_delta_log"]
    assert [path.name for path in sorted(log.glob("*.json"))] == [f"{11:020}.json"]
    assert json.loads((log / "_last_checkpoint").read_text())["version"] == 11
    assert list(Path(place).glob(".*")) == []
    assert checkpoints.checkpoint(place, keep=0) is None, "no commit came since"
    put(tmp_path / "d", readings(11), 11)
    assert len(rows_of(tmp_path, "d")) == 12 * 6
    assert audit_lake(tmp_path).problems == []


def test_commits_that_are_kept_can_be_queried_after_a_checkpoint(tmp_path: Path) -> None:
    for hour in range(11):
        put(tmp_path / "d", readings(hour), hour)
    assert checkpoints.checkpoint(str(tmp_path / "d"), keep=3600) == 11
    assert len(files_of(tmp_path / "d", "4")) == 4


def test_folding_keeps_the_newest_revision_only(windows: Path) -> None:
    before = rows_of(windows, "d", "window_start, k, revision, x")
    (done,) = maintain(windows, fold=True)
    assert done.folded == 1
    assert rows_of(windows, "d", "window_start, k, revision, x") == before
    assert rows_of(windows, "d_all", "window_start, k, revision, x") == before
    assert table_of(windows / "d").version == done.version
    assert maintain(windows, fold=True)[0].folded == 0
