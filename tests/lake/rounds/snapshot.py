"""A version of the lake as a reader sees it, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lake.rounds.facts import Facts
from tests.lake.rounds.stage import Stage, marks_of
from tests.lake.rounds.topic import SHARDS, Reading, Topic
from tocsin.foundation.failure import Failure
from tocsin.lake.footers import table_in
from tocsin.table.table import Outdated, Table

_COLUMNS = ["lock_id", "zone", "value", "rule", "_partition", "_offset"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """The rows of a version, and the last moment of each shard that its marks cover."""

    version: int
    rows: list[Row]
    marks: list[int]


def snapshot(stage: Stage) -> Snapshot | None:
    """Read the newest version; None if another process deleted a part of it meanwhile.

    Raises Failure where a live file cannot be read.
    """
    table = stage.table()
    if table is None:
        return Snapshot(-1, [], [-1] * SHARDS)
    try:
        return Snapshot(table.version, list(_rows(table)), marks_of(table))
    except Outdated:
        return None
    except Failure:
        now = stage.table()
        assert now is not None
        if {file.path for file in table.files()} <= {file.path for file in now.files()}:
            raise
        return None


def _rows(table: Table) -> Iterator[Row]:
    for file in table.files():
        rows = table_in(Path(table.place) / file.path)
        if rows.num_rows != file.rows:
            raise Failure(f"{file.path} has {rows.num_rows} rows, and {file.rows} by the log")
        extra = [name for name in ("extra",) if name in rows.column_names]
        yield from rows.select([*_COLUMNS, *extra]).to_pylist()


def problems(seen: Snapshot, topic: Topic, before: Facts, after: Facts) -> list[str]:
    """The faults of a version.

    Args:
        seen: the version.
        topic: the judge.
        before: facts from before the version was opened.
        after: facts from after it was read.
    """
    return [
        f"version {seen.version}: {problem}"
        for check in (_marks, _readings, _units, _presence)
        for problem in check(seen, topic, before, after)
    ]


def _marks(seen: Snapshot, topic: Topic, before: Facts, after: Facts) -> Iterator[str]:
    for shard, (flushed, mark) in enumerate(zip(before.flushed, seen.marks, strict=True)):
        if mark < flushed:
            yield f"shard {shard} was flushed up to {flushed}, and its mark is {mark}"


def _place(row: Row) -> tuple[int, int]:
    return row["_partition"], row["_offset"]


def _readings(seen: Snapshot, topic: Topic, before: Facts, after: Facts) -> Iterator[str]:
    for place, count in Counter(map(_place, seen.rows)).items():
        if count > 1:
            yield f"the row at {place} is there {count} times"
    for row in seen.rows:
        one = topic.readings.get(_place(row))
        if one is None:
            yield f"no reading is at {_place(row)}"
        elif (row["lock_id"], row["zone"], row["value"], row.get("extra")) != (
            *(one.key, one.zone, one.value, one.extra),
        ):
            yield f"the row at {_place(row)} has other values"
        elif one.moment > seen.marks[one.partition]:
            yield f"the row at {_place(row)} is of moment {one.moment}, behind its shard's mark"
        elif before.must_lack(one, after):
            yield f"the row at {_place(row)} ({one.key}, moment {one.moment}) was removed before"


def _units(seen: Snapshot, topic: Topic, before: Facts, after: Facts) -> Iterator[str]:
    rules: dict[tuple[int, int, int], set[int]] = {}
    for row in seen.rows:
        one = topic.readings.get(_place(row))
        if one is not None:
            rules.setdefault(one.unit, set()).add(row["rule"])
    for unit, found in rules.items():
        if len(found) > 1:
            yield f"unit {unit} has rows of the rules {sorted(found)}"


def _presence(seen: Snapshot, topic: Topic, before: Facts, after: Facts) -> Iterator[str]:
    there = {_place(row) for row in seen.rows}

    def is_due(one: Reading) -> bool:
        return one.moment <= seen.marks[one.partition] and not after.may_lack(one)

    for place, one in topic.readings.items():
        if place not in there and is_due(one):
            yield f"the row at {place} ({one.key}, moment {one.moment}) is lost"
