"""Several processes at once: one makes a table, all commit, and none of them loses or doubles."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.support.tables import table_of

PROGRAM = "tests.table.commit_process"


def start(place: Path, name: str, count: int) -> subprocess.Popen[Any]:
    return subprocess.Popen([sys.executable, "-m", PROGRAM, str(place), name, str(count)])


def test_processes_that_make_one_table_make_it_once(tmp_path: Path) -> None:
    names = [f"w{number}" for number in range(4)]
    running = [start(tmp_path / "d", name, 2) for name in names]
    assert [process.wait(60) for process in running] == [0] * 4
    table = table_of(tmp_path, "d")
    assert (table.version, len(table.files())) == (8, 8)
    assert table.properties["maker"] in names


@pytest.mark.parametrize("seed", range(3))
def test_killed_committers_lose_and_double_nothing(seed: int, tmp_path: Path) -> None:
    chance, count = random.Random(seed), 12
    place = tmp_path / "d"
    running = {name: start(place, name, count) for name in ("a", "b", "c")}
    for _ in range(4):
        time.sleep(chance.uniform(0.1, 0.8))
        victim = chance.choice(sorted(running))
        running[victim].kill()
        running[victim].wait(10)
        running[victim] = start(place, victim, count)
    assert [process.wait(120) for process in running.values()] == [0] * 3
    table = table_of(tmp_path, "d")
    assert [table.mark(name) for name in running] == [count] * 3
    rows = Counter(pl.scan_delta(str(place)).collect().rows())
    assert rows == Counter(
        {(name, number): 1 for name in running for number in range(1, count + 1)}
    )
