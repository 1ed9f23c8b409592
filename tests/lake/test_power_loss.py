"""A power loss at each step of a change: no unit is lost or half there, no erased row returns."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lake.power_loss.disk import Disk
from tests.lake.power_loss.losses import Losses, power_losses
from tests.lake.power_loss.trace import has_strace

traced = pytest.mark.skipif(not has_strace(), reason="strace is missing, or may not trace here")
ALL = ["write", "more", "log", "compact", "retain", "backfill", "erase", "vacuum"]


def losses(folder: Path, *phases: str, **settings: int) -> Losses:
    """Power losses at the steps of the last phase."""
    found = power_losses(folder, list(phases), {phases[-1]}, **settings)
    print(found.steps, "steps,", found.states, "states")
    return found


@traced
@pytest.mark.parametrize(
    "phases",
    [
        ("write",),
        ("write", "more", "log"),
        ("write", "compact"),
        ("write", "compact", "erase"),
        ("write", "compact", "vacuum"),
    ],
    ids=lambda phases: phases[-1],
)
def test_nothing_is_lost_and_no_erased_row_returns(phases: tuple[str, ...], tmp_path: Path) -> None:
    found = losses(tmp_path, *phases, count=1, every=20, most=2)
    assert found.wrong == []
    assert found.states >= 10


@traced
@pytest.mark.parametrize("sync", [1, 4, 6, 13], ids=["lake", "table", "day", "commit"])
def test_what_a_killed_process_left_unsynced_is_not_taken_for_sure(
    sync: int, tmp_path: Path
) -> None:
    found = losses(tmp_path, f"killed-write-{sync}", "write", count=1, every=20, most=2)
    assert found.wrong == []


@traced
def test_an_erasure_after_one_that_was_killed_is_whole(tmp_path: Path) -> None:
    phases = ("write", "compact", "killed-erase-11", "erase")
    found = losses(tmp_path, *phases, count=1, every=20, most=2)
    assert found.wrong == []


@traced
def test_a_writer_that_does_not_wait_for_the_disk_is_found(tmp_path: Path) -> None:
    found = losses(tmp_path, "careless", count=0, every=20, most=1)
    assert any("was flushed up to" in problem for problem in found.wrong)


@traced
@pytest.mark.slow
def test_every_phase_in_a_row(tmp_path: Path) -> None:
    found = power_losses(tmp_path, ALL, set(ALL))
    print(found.steps, "steps,", found.states, "states")
    assert found.wrong == []


@traced
@pytest.mark.slow
@pytest.mark.parametrize("sync", range(1, 16))
def test_a_writer_that_is_killed_at_each_wait_for_the_disk(sync: int, tmp_path: Path) -> None:
    assert losses(tmp_path, f"killed-write-{sync}", "write").wrong == []


@traced
@pytest.mark.slow
@pytest.mark.parametrize("sync", range(1, 24))
def test_an_erasure_that_is_killed_at_each_wait_for_the_disk(sync: int, tmp_path: Path) -> None:
    phases = ("write", "more", "log", "compact", f"killed-erase-{sync}", "erase")
    assert losses(tmp_path, *phases).wrong == []


def test_a_disk_keeps_what_was_synced_only() -> None:
    disk = Disk(names={"/r": None}, sure={"/r": None})
    disk.open("/r/a", empties=True)
    disk.file("/r/a").content += b"text"
    assert (disk.file("/r/a").synced, disk.sure) == (b"", {"/r": None})
    disk.sync("/r/a")
    disk.sync("/r")
    assert (disk.file("/r/a").synced, disk.sure) == (b"text", {"/r": None, "/r/a": 0})
    disk.rename("/r/a", "/r/b")
    assert sorted(disk.names) == ["/r", "/r/b"]
    assert sorted(disk.sure) == ["/r", "/r/a"]
    disk.unlink("/r/b")
    disk.sync("/r")
    assert disk.sure == {"/r": None}
