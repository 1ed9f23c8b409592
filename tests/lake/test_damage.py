"""An audit names each damaged file and commit, and the rest of the dataset stays readable."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.table_files import ROWS, add, put, readings, write_hours
from tocsin.lake.adoption import adopt
from tocsin.lake.audit import audit_lake
from tocsin.lake.compaction import compact
from tocsin.lake.datasets import files_of, table_of
from tocsin.lake.retention import erase
from tocsin.lake.widening import widen
from tocsin.table.checkpoints import checkpoint, write_checkpoint
from tocsin.table.checksums import checksum_of, checksums
from tocsin.table.commit import Change, NewFile, commit
from tocsin.table.statistics import statistics_of


@pytest.fixture
def hours(tmp_path: Path) -> Path:
    write_hours(tmp_path / "d", range(3))
    return tmp_path


def flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def other_rows(file: Path) -> None:
    """As many rows of equal types in a file of its own footer."""
    rows = parquet.read_table(file, partitioning=None)
    at = rows.column_names.index("value")
    parquet.write_table(rows.set_column(at, "value", pa.array([7.0] * len(rows))), file)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "first byte of a value": lambda file: flip(file, 6),
    "middle": lambda file: flip(file, file.stat().st_size // 2),
    "last byte": lambda file: flip(file, file.stat().st_size - 1),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-10]),
    "empty": lambda file: file.write_bytes(b""),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"x"),
    "other rows": other_rows,
    "missing": lambda file: file.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_the_rest_is_readable(
    damage: str, hours: Path, tocsin: Any
) -> None:
    file = files_of(hours)[1]
    DAMAGES[damage](file)
    report = audit_lake(hours)
    assert [str(file) in one for one in report.problems] == [True], report.problems
    query = "select count(*) as n from d"
    code, out, errors = tocsin("lake", hours, query, "--skip-unreadable", "--json")
    assert (code, f'"n": {2 * ROWS}' in out) == (0, True)
    assert f"left out: {file}: " in errors


@pytest.mark.parametrize("seed", range(3))
def test_each_changed_byte_of_a_file_is_found(seed: int, hours: Path) -> None:
    chance = random.Random(seed)
    file = files_of(hours)[seed]
    content = file.read_bytes()
    for _ in range(12):
        flip(file, chance.randrange(len(content)))
        assert [str(file) in one for one in audit_lake(hours).problems] == [True]
        file.write_bytes(content)
    assert audit_lake(hours).is_good


def test_files_that_changed_places_are_both_named(hours: Path) -> None:
    first, second, _ = files_of(hours)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    problems = audit_lake(hours).problems
    assert all(any(str(file) in one for one in problems) for file in (first, second))


@pytest.mark.parametrize("start", [None, 1], ids=["first commits", "behind a checkpoint"])
def test_a_removed_commit_is_named(start: int | None, hours: Path, tocsin: Any) -> None:
    put(hours / "other", readings(0))
    if start is not None:
        write_checkpoint(str(hours / "d"), start)
    for hour in range(3, 6):
        put(hours / "d", readings(hour), hour)
    gone = hours / "d" / "_delta_log" / f"{2:020}.json"
    gone.unlink()
    report = audit_lake(hours)
    (problem,) = report.problems
    assert f"{gone} is missing; restore it" in problem
    assert report.rows == ROWS, "the other dataset is audited"


def test_a_newest_commit_that_is_gone_leaves_files_of_no_version(hours: Path) -> None:
    file = put(hours / "d", readings(3), 3)
    (hours / "d" / "_delta_log" / f"{table_of(hours / 'd').version:020}.json").unlink()
    os.utime(file, (time.time() - 3601,) * 2)
    (note,) = audit_lake(hours).notes
    assert file.name in note


def test_a_copy_of_a_file_is_no_row_and_is_noted(hours: Path) -> None:
    file = files_of(hours)[0]
    copy = file.with_name("copy.parquet")
    copy.write_bytes(file.read_bytes())
    assert audit_lake(hours).notes == [], "a job may be about to commit it"
    os.utime(copy, (time.time() - 3601,) * 2)
    report = audit_lake(hours)
    (note,) = report.notes
    assert (report.problems, report.rows) == ([], 3 * ROWS)
    assert str(copy.relative_to(hours / "d")) in note


def test_every_way_to_write_a_file_keeps_its_checksum_right(hours: Path) -> None:
    """Also behind a checkpoint, which replaces the commits."""

    def is_right() -> None:
        table = table_of(hours / "d")
        known = checksums(table.place, table.version)
        for file in table.files():
            assert known[file.path] == checksum_of(hours / "d" / file.path)
        assert audit_lake(hours).problems == audit_lake(hours).notes == []

    is_right()
    write_checkpoint(str(hours / "d"), table_of(hours / "d").version)
    put(hours / "d", readings(3), 3)
    for change in (
        lambda: compact(hours, 0),
        lambda: erase(hours, "lock_id", "l-1"),
        lambda: widen(hours / "d", "_index", pa.int64()),
        lambda: checkpoint(str(hours / "d"), keep=0),
    ):
        change()
        is_right()


def test_an_adopted_file_has_a_checksum(tmp_path: Path) -> None:
    rows = readings(0)
    (tmp_path / "d" / "date=2026-03-02").mkdir(parents=True)
    parquet.write_table(rows, tmp_path / "d" / "date=2026-03-02" / "a.parquet")
    parquet.write_table(rows, tmp_path / "d" / "b.parquet")
    adopt(tmp_path / "d")
    table = table_of(tmp_path / "d")
    assert len(checksums(table.place, table.version)) == len(table.files()) == 2


def test_files_of_other_writers_are_counted(hours: Path) -> None:
    source = files_of(hours)[0]
    foreign = source.with_name("foreign.parquet")
    rows = readings(3)
    parquet.write_table(rows.replace_schema_metadata(parquet.read_schema(source).metadata), foreign)
    path = str(foreign.relative_to(hours / "d"))
    add(hours / "d", NewFile(path, foreign.stat().st_size, statistics_of(rows)))
    report = audit_lake(hours)
    assert report.notes == ["d: 1 files without a checksum, not compared"]
    assert report.problems == []


def test_a_log_whose_start_is_in_a_checkpoint_has_no_gap(hours: Path) -> None:
    for hour in range(3, 15):
        put(hours / "d", readings(hour), hour)
    assert checkpoint(str(hours / "d"), keep=0) is not None
    commit(str(hours / "d"), lambda _: Change("WRITE", properties={"a": "b"}))
    assert audit_lake(hours).is_good
