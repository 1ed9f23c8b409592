"""Appenders, compaction, erasure and readers at once, killed at any time: the rows are right."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lake.care_processes import UNITS
from tests.support.table_files import ROWS, add, readings, rows_of
from tocsin.lake.audit import audit_lake
from tocsin.lake.compaction import compact
from tocsin.lake.retention import erase

APPENDERS = 2
SECONDS = 60


def start(role: str, lake: Path, number: int, seed: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.lake.care_processes", role, str(lake)]
    return subprocess.Popen(
        [*command, str(number), str(seed)], stderr=subprocess.PIPE, start_new_session=True
    )


@pytest.mark.parametrize("seed", range(3))
def test_every_row_is_there_once_and_no_erased_one(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    add(tmp_path / "d")
    appenders = {number: start("append", tmp_path, number, seed) for number in range(APPENDERS)}
    others = {role: start(role, tmp_path, 0, seed) for role in ("compact", "erase", "read")}
    kills = 4
    end = time.monotonic() + SECONDS
    try:
        while any(one.poll() is None for one in appenders.values()):
            assert time.monotonic() < end
            time.sleep(chance.uniform(0.2, 1.0))
            if not kills:
                continue
            kills -= 1
            which = chance.choice([*appenders, "compact", "erase"])
            table = appenders if which in appenders else others
            victim = table[which]  # type: ignore[index]
            if victim.poll() is None:
                os.kill(victim.pid, signal.SIGKILL)
                victim.wait()
                role, number = ("append", which) if table is appenders else (which, 0)
                table[which] = start(str(role), tmp_path, int(number), seed + kills)  # type: ignore[index]
        assert [one.returncode for one in appenders.values()] == [0] * APPENDERS
        for role, one in others.items():
            assert one.poll() is None, f"{role}: {one.stderr and one.stderr.read()[-2000:]!r}"
    finally:
        for one in [*appenders.values(), *others.values()]:
            if one.poll() is None:
                one.kill()
            _, errors = one.communicate()
            print(errors.decode())
    erase(tmp_path, "lock_id", "l-1")
    compact(tmp_path, 0)
    rows = [readings(hour) for hour in range(APPENDERS * UNITS)]
    expected = sorted(
        (row["lock_id"], row["value"], row["_offset"])
        for table in rows
        for row in table.to_pylist()
        if row["lock_id"] != "l-1"
    )
    assert len(expected) == APPENDERS * UNITS * ROWS * 2 // 3
    assert rows_of(tmp_path, "d") == expected
    assert audit_lake(tmp_path).problems == []
