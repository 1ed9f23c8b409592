"""Workers are forked from a seed that has their code loaded; each ends by itself or when it is told."""

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
# Nobody answers here: a worker keeps trying.
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def seeds() -> Iterator[Zygotes]:
    found = Zygotes(os.environ)
    yield found
    found.end()


def code(folder: Path) -> Path:
    """The product's code at another place, as a job brings it."""
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


def started(seed: ZygoteOfCode, name: str) -> ForkedWorker:
    worker = seed.start(name, NOWHERE, "")
    assert within(5, lambda: name_of(worker.pid) == "tocsin-worker")
    return worker


def test_workers_of_one_code_come_from_one_seed_and_end_one_by_one(
    seeds: Zygotes, tmp_path: Path
) -> None:
    seed = seeds.of(code(tmp_path / "one"))
    one, other = started(seed, "1-1"), started(seed, "1-2")
    assert seeds.of(tmp_path / "one") is seed
    assert Path(f"/proc/{one.pid}/cwd").readlink() == tmp_path / "one"
    seed.stop(one)
    assert one.code == -signal.SIGTERM
    assert list(seed.workers) == ["1-2"]
    os.kill(other.pid, signal.SIGKILL)
    assert within(5, other.ended.is_set)
    assert other.code == -signal.SIGKILL


def test_a_seed_that_was_killed_is_replaced_and_its_workers_can_still_be_stopped(
    seeds: Zygotes, tmp_path: Path
) -> None:
    seed = seeds.of(code(tmp_path / "one"))
    orphan = started(seed, "1-1")
    seed._process.kill()
    assert within(5, lambda: not seed.is_alive)
    assert Path(f"/proc/{orphan.pid}").exists()
    after = seeds.of(tmp_path / "one")
    assert after is not seed
    started(after, "1-2")
    seed.stop(orphan)
    assert within(
        5,
        lambda: (
            not Path(f"/proc/{orphan.pid}").exists()
            or "Z" in Path(f"/proc/{orphan.pid}/stat").read_text()
        ),
    )


def test_seeds_of_old_code_end_when_they_have_no_workers(seeds: Zygotes, tmp_path: Path) -> None:
    first = seeds.of(code(tmp_path / "0"))
    worker = started(first, "1-1")
    others = [seeds.of(code(tmp_path / str(number))) for number in range(1, KEPT + 1)]
    assert first.is_alive
    assert [seed.is_alive for seed in others] == [False, True]
    first.stop(worker)
    seeds.of(code(tmp_path / "last"))
    assert not first.is_alive
