"""Workers are forked from a zygote that has loaded their code, and end one by one."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tocsin.engines.beam.workers.zygotes import KEPT, ForkedWorker, ZygoteOfCode, Zygotes

ROOT = Path(__file__).resolve().parents[4]
# No server listens here, so a worker keeps trying.
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def zygotes() -> Iterator[Zygotes]:
    found = Zygotes(os.environ)
    yield found
    found.end()


def code(folder: Path) -> Path:
    """A copy of tocsin's code, as a job brings it."""
    folder.mkdir()
    shutil.copytree(
        ROOT / "tocsin", folder / "tocsin", ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder


def within(seconds: float, is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_so()


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def started(zygote: ZygoteOfCode, name: str) -> ForkedWorker:
    worker = zygote.start(name, NOWHERE, "")
    assert within(5, lambda: name_of(worker.pid) == "tocsin-worker")
    return worker


def test_workers_of_one_code_share_a_zygote_and_end_one_by_one(
    zygotes: Zygotes, tmp_path: Path
) -> None:
    zygote = zygotes.of(code(tmp_path / "one"))
    one, other = started(zygote, "1-1"), started(zygote, "1-2")
    assert zygotes.of(tmp_path / "one") is zygote
    assert Path(f"/proc/{one.pid}/cwd").readlink() == tmp_path / "one"
    zygote.stop(one)
    assert one.code == -signal.SIGTERM
    assert list(zygote.workers) == ["1-2"]
    os.kill(other.pid, signal.SIGKILL)
    assert within(5, other.ended.is_set)
    assert other.code == -signal.SIGKILL


def test_a_killed_zygote_is_replaced_and_its_workers_can_still_be_stopped(
    zygotes: Zygotes, tmp_path: Path
) -> None:
    zygote = zygotes.of(code(tmp_path / "one"))
    orphan = started(zygote, "1-1")
    zygote._process.kill()
    assert within(5, lambda: not zygote.is_alive)
    assert Path(f"/proc/{orphan.pid}").exists()
    after = zygotes.of(tmp_path / "one")
    assert after is not zygote
    started(after, "1-2")
    zygote.stop(orphan)
    assert within(
        5,
        lambda: (
            not Path(f"/proc/{orphan.pid}").exists()
            or "Z" in Path(f"/proc/{orphan.pid}/stat").read_text()
        ),
    )


def test_zygotes_of_old_code_end_once_they_have_no_workers(
    zygotes: Zygotes, tmp_path: Path
) -> None:
    first = zygotes.of(code(tmp_path / "0"))
    worker = started(first, "1-1")
    others = [zygotes.of(code(tmp_path / str(number))) for number in range(1, KEPT + 1)]
    assert first.is_alive
    assert [zygote.is_alive for zygote in others] == [False, True]
    first.stop(worker)
    zygotes.of(code(tmp_path / "last"))
    assert not first.is_alive
