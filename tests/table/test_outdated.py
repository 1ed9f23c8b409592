"""A version whose checkpoint an erasure replaced while a process looked at it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.table_files import put, readings
from tocsin.lake.datasets import on_newest
from tocsin.lake.retention import erase
from tocsin.table.checkpoints import checkpoint
from tocsin.table.commit import Change, commit
from tocsin.table.table import Outdated, Table, open_table


def make(folder: Path) -> Table:
    """A table of 11 commits whose log begins with a checkpoint. The library has not read it yet."""
    for hour in range(11):
        put(folder / "d", readings(hour), hour)
    assert checkpoint(str(folder / "d"), keep=0) == 11
    found = open_table(str(folder / "d"))
    assert found is not None
    return found


def replace_checkpoint(folder: Path) -> None:
    assert erase(folder, "lock_id", "l-1")


def test_a_version_that_is_gone_is_outdated(tmp_path: Path) -> None:
    old = make(tmp_path)
    replace_checkpoint(tmp_path)
    with pytest.raises(Outdated, match="cannot be read at version 11"):
        old.mark("unknown")
    old.refresh()
    assert len(old.files()) == 11


def test_a_commit_of_an_outdated_version_is_computed_again(tmp_path: Path) -> None:
    old, asked = make(tmp_path), []

    def change_of(table: Table) -> Change:
        if not asked:
            replace_checkpoint(tmp_path)
        asked.append(table.version)
        table.mark("unknown")
        return Change("X", marks={"m": table.version})

    version = commit(old.place, change_of, old)
    newest = open_table(old.place)
    assert newest is not None
    assert (asked[0], newest.version, version) == (11, version, asked[-1] + 1)


def test_a_new_column_on_an_outdated_version_is_added_to_the_newest(tmp_path: Path) -> None:
    """The library reads the columns after the change is known, and needs the log for it."""
    old, asked = make(tmp_path), []
    column = pa.field("further", pa.int64())

    def change_of(table: Table) -> Change:
        if not asked:
            replace_checkpoint(tmp_path)
        asked.append(table.version)
        return Change("X", columns=[column])

    # The library is behind the table: so is that of a writer after commits of others.
    commit(old.place, lambda _: Change("X"))
    assert commit(old.place, change_of, old) == asked[-1] + 1
    newest = open_table(old.place)
    assert newest is not None
    assert column in list(newest.schema)


def test_care_of_an_outdated_version_begins_again(tmp_path: Path) -> None:
    make(tmp_path)
    asked: list[int] = []

    def do(table: Table) -> int:
        if not asked:
            replace_checkpoint(tmp_path)
        asked.append(table.version)
        table.mark("unknown")
        return len(table.files())

    assert on_newest(tmp_path / "d", do) == 11
    assert len(asked) == 2


def test_a_checkpoint_that_is_only_replaced_is_read_again(tmp_path: Path) -> None:
    place = str(tmp_path / "d")
    make(tmp_path)
    for number in range(12):
        commit(place, lambda _, number=number: Change("X", marks={"m": number}))  # type: ignore[misc]
    known = open_table(place)
    assert known is not None
    assert checkpoint(place, keep=0) == known.version
    assert (known.mark("m"), len(known.files())) == (11, 11)
    assert pa.field("lock_id", pa.string()) in list(known.schema)
