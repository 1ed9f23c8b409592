"""Processes that write and care for one dataset at once. Run as `… ROLE LAKE NUMBER SEED`."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from tests.support.table_files import add, readings, written
from tocsin.foundation.failure import Failure
from tocsin.lake.compaction import compact
from tocsin.lake.query import open_views
from tocsin.lake.retention import erase

UNITS = 12
"""Commits of an appender."""


def append(lake: Path, number: int, chance: random.Random) -> None:
    """Commit a unit after another; a unit that is in the table already is left out."""
    from tocsin.table.table import open_table

    name = f"appender-{number}"
    table = open_table(str(lake / "d"))
    assert table is not None
    for unit in range(table.mark(name) or 0, UNITS):
        hour = number * UNITS + unit
        file = written(lake / "d", readings(hour), hour)
        add(lake / "d", file, **{name: unit + 1})
        time.sleep(chance.uniform(0, 0.02))


def compact_all(lake: Path, number: int, chance: random.Random) -> None:
    """Compact until killed."""
    while True:
        compact(lake, 0)
        time.sleep(chance.uniform(0, 0.02))


def erase_one(lake: Path, number: int, chance: random.Random) -> None:
    """Erase a lock, over and over until killed."""
    while True:
        erase(lake, "lock_id", "l-1")
        time.sleep(chance.uniform(0, 0.05))


def read(lake: Path, number: int, chance: random.Random) -> None:
    """Query until killed. No query sees a row twice; a file that an erasure deleted fails it."""
    while True:
        try:
            query = "select count(*), count(distinct _offset) from d_all"
            ((rows, different),) = open_views(lake)[0].execute(query).fetchall()
        except Exception as error:
            gone = ("No such file", "No files found", "cannot be read")
            expected = (*gone, "d_all does not exist", "has no rows")
            if not any(text in str(error) for text in expected):
                raise
            continue
        assert rows == different, f"{rows} rows, {different} readings"


ROLES = {"append": append, "compact": compact_all, "erase": erase_one, "read": read}

if __name__ == "__main__":
    role, place, which, seed = sys.argv[1:]
    try:
        ROLES[role](Path(place), int(which), random.Random(int(seed)))
    except Failure as failure:
        # A reader of a table's log or files that an erasure deleted meanwhile.
        print(f"{role}: {failure.sentence}", file=sys.stderr)
        raise
