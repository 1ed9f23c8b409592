"""A backfill replaces the units whose rows differ, in one commit, and no other unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.table_files import DAY, HOUR, START, add, readings, rows_of, written
from tocsin.foundation.failure import Failure
from tocsin.lake.audit import audit_lake
from tocsin.lake.backfill_merge import MergedDataset, merge_backfill
from tocsin.lake.compaction import compact
from tocsin.lake.datasets import files_of, table_of
from tocsin.lake.erasures import erasures
from tocsin.lake.footers import footer, start_of, units_in
from tocsin.lake.retention import erase
from tocsin.lake.unit_groups import connected
from tocsin.table.commit import Change, commit


def write(
    lake: Path, hours: Any, changed: tuple[int, ...] = (), dataset: str = "locks", **head: Any
) -> None:
    """Write a file for each hour; in changed hours with another value."""
    files = []
    for hour in hours:
        rows = readings(hour)
        if hour in changed:
            rows = rows.set_column(1, "value", pc.add(rows.column(1), 1000.0))
        files.append(written(lake / dataset, rows, hour, **head))
    add(lake / dataset, *files)


def hours_of(lake: Path) -> dict[int, str]:
    """The name of the live file of each hour."""
    found = {}
    for file in files_of(lake / "locks"):
        for unit in units_in(footer(file)):
            start = start_of(unit)
            assert start is not None
            found[(start - START) // HOUR] = file.name
    return found


def touched(before: dict[int, str], lake: Path) -> list[int]:
    after = hours_of(lake)
    return sorted(hour for hour in {*before, *after} if before.get(hour) != after.get(hour))


@pytest.fixture
def lakes(tmp_path: Path) -> tuple[Path, Path]:
    """A lake of ten hours, and an empty staged one."""
    write(tmp_path / "lake", range(10))
    staged = tmp_path / "lake" / ".backfill-1"
    staged.mkdir()
    return tmp_path / "lake", staged


def counts(found: MergedDataset) -> tuple[int, int, int, int, int]:
    return found.same, *(len(one) for one in (found.changed, found.new, found.gone, found.kept))


def test_only_units_with_other_rows_are_exchanged_in_one_commit(lakes: tuple[Path, Path]) -> None:
    lake, staged = lakes
    before, version = hours_of(lake), table_of(lake / "locks").version
    write(staged, range(11), changed=(3, 7), run="b")
    (found,) = merge_backfill(staged, lake, ["locks"])
    assert counts(found) == (8, 2, 1, 0, 0)
    assert touched(before, lake) == [3, 7, 10]
    assert table_of(lake / "locks").version == version + 1
    write(other := lake.parent / "other", range(11), changed=(3, 7))
    assert rows_of(lake, "locks") == rows_of(other, "locks")
    # The staged folder goes, and the lake keeps its rows.
    for file in files_of(staged):
        file.unlink()
    assert len(rows_of(lake, "locks")) == 66
    (lake / ".backfill-1" / "locks" / "_delta_log").rename(lake.parent / "log")
    assert [one for one in audit_lake(lake).problems if "left by" not in one] == []


def test_a_run_of_a_backfill_counts_as_ended(lakes: tuple[Path, Path]) -> None:
    """A further run removes the files of runs without an end."""
    lake, staged = lakes
    owner = {"tocsin.owner": "air/Lake"}
    commit(str(lake / "locks"), lambda _: Change("SET OWNER", properties=owner))
    write(staged, range(10), changed=(3,), run="b")
    merge_backfill(staged, lake, ["locks"])
    assert table_of(lake / "locks").mark("air/Lake/b/s000/end") == 1


def test_units_without_rows_in_the_rerun_are_removed(lakes: tuple[Path, Path]) -> None:
    lake, staged = lakes
    write(staged, [*range(4), *range(5, 10)])
    (found,) = merge_backfill(staged, lake, ["locks"])
    assert counts(found) == (9, 0, 0, 1, 0)
    assert 4 not in hours_of(lake)


def test_units_that_were_not_read_again_stay(lakes: tuple[Path, Path]) -> None:
    """The topic has deleted its first messages, and a running job has read more."""
    lake, staged = lakes
    before = hours_of(lake)
    write(staged, range(2, 8), changed=(2, 5))
    (found,) = merge_backfill(staged, lake, ["locks"])
    assert counts(found) == (4, 2, 0, 0, 4)
    assert touched(before, lake) == [2, 5]


def test_units_that_end_before_since_stay(lakes: tuple[Path, Path]) -> None:
    lake, staged = lakes
    before = hours_of(lake)
    write(staged, range(10), changed=(2, 5, 8))
    (found,) = merge_backfill(staged, lake, ["locks"], START + 6 * HOUR)
    assert counts(found) == (3, 1, 0, 0, 0)
    assert touched(before, lake) == [8]
    merge_backfill(staged, lake, ["locks"], START + 5 * HOUR + 1)
    assert touched(before, lake) == [5, 8]


def test_a_file_without_offsets_is_not_removed(lakes: tuple[Path, Path]) -> None:
    lake, staged = lakes
    add(lake / "locks", written(lake / "locks", readings(20), 20, offsets="{}"))
    write(staged, range(10))
    assert counts(merge_backfill(staged, lake, ["locks"])[0]) == (10, 0, 0, 0, 1)


def test_a_unit_that_the_live_job_has_still_to_write_is_not_added(
    lakes: tuple[Path, Path],
) -> None:
    """The job would write it too."""
    lake, staged = lakes
    known = {"tocsin.owner": "air/Lake", "tocsin.kind": "live"}
    marks = {"air/Lake//s000": START + 11 * HOUR}
    commit(str(lake / "locks"), lambda _: Change("SET OWNER", properties=known, marks=marks))
    write(staged, range(12))
    (found,) = merge_backfill(staged, lake, ["locks"])
    assert counts(found) == (10, 0, 1, 0, 1)
    assert sorted(hours_of(lake)) == list(range(11))


def test_a_file_of_a_unit_that_is_the_same_stays(tmp_path: Path) -> None:
    """A unit has a file for each value of `partition_by`."""
    lake, staged = tmp_path, tmp_path / ".backfill-1"
    for where, value in ((lake, 1.0), (staged, 2.0)):
        parts = [readings(0, 3), readings(1, 3, value=[value] * 3)]
        add(where / "locks", *(written(where / "locks", one) for one in parts))
    before = {file.name for file in files_of(lake / "locks")}
    assert counts(merge_backfill(staged, lake, ["locks"])[0]) == (1, 1, 0, 0, 0)
    assert len({file.name for file in files_of(lake / "locks")} & before) == 1


@pytest.mark.parametrize("changed", [(), (5,)])
def test_a_compacted_file_stays_or_is_replaced_as_a_whole(
    tmp_path: Path, changed: tuple[int, ...]
) -> None:
    lake, staged = tmp_path, tmp_path / ".backfill-1"
    write(lake, range(0, 48, 4))
    compact(lake, 0)
    assert len(files_of(lake)) == 2
    write(staged, range(0, 48, 4), changed=tuple(4 * one for one in changed))
    (found,) = merge_backfill(staged, lake, ["locks"])
    write(other := tmp_path / "other", range(0, 48, 4), tuple(4 * one for one in changed))
    assert rows_of(lake, "locks") == rows_of(other, "locks"), "no row occurs twice"
    assert len(found.changed) == len(changed)


def test_a_compacted_file_that_was_read_again_in_part_stays(tmp_path: Path) -> None:
    lake, staged = tmp_path, tmp_path / ".backfill-1"
    write(lake, range(0, 48, 4))
    compact(lake, 0)
    write(staged, range(12, 48, 4), changed=(16, 32))
    assert counts(merge_backfill(staged, lake, ["locks"])[0]) == (0, 1, 0, 0, 1)
    write(again := tmp_path / ".backfill-2", range(0, 48, 4), changed=(0,))
    assert counts(merge_backfill(again, lake, ["locks"], START + 2 * HOUR)[0])[4] == 1


def test_a_dataset_of_its_own_is_made_and_one_without_rows_is_emptied(
    lakes: tuple[Path, Path],
) -> None:
    lake, staged = lakes
    write(staged, range(10), dataset="others")
    locks, others = merge_backfill(staged, lake, ["locks", "others"])
    assert len(locks.gone) == len(others.new) == 10
    assert files_of(lake / "locks") == []
    assert len(rows_of(lake, "others")) == 60
    assert counts(merge_backfill(staged, lake, ["others"])[0]) == (10, 0, 0, 0, 0)


def test_a_column_is_added_and_another_type_is_refused(lakes: tuple[Path, Path]) -> None:
    lake, staged = lakes
    rows = readings(0, more=[1.5] * 6)
    add(staged / "locks", written(staged / "locks", rows), schema=rows.schema)
    merge_backfill(staged, lake, ["locks"])
    assert rows_of(lake, "locks", "more").count((1.5,)) == 6
    other = lake / ".backfill-2"
    rows = readings(1, more=["a"] * 6)
    add(other / "locks", written(other / "locks", rows, 1), schema=rows.schema)
    count = len(list((lake / "locks").rglob("*.parquet")))
    with pytest.raises(Failure, match="the column 'more' is double"):
        merge_backfill(other, lake, ["locks"])
    assert len(list((lake / "locks").rglob("*.parquet"))) == count, "no file is left"


@given(st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=3), max_size=9))
def test_items_are_together_if_a_chain_of_names_joins_them(names: list[list[str]]) -> None:
    groups: list[set[int]] = [{at} for at in range(len(names))]
    for _ in names:
        for one in groups:
            for other in groups:
                known = {name for at in one for name in names[at]}
                if any(known & set(names[at]) for at in other):
                    one.update(other)
    numbers = connected(names)
    for at, group in enumerate(groups):
        assert {other for other in range(len(names)) if numbers[other] == numbers[at]} == group


def test_an_audit_reports_the_folder_of_a_killed_backfill(lakes: tuple[Path, Path]) -> None:
    lake, _ = lakes
    assert audit_lake(lake).problems == [
        ".backfill-1: left by an interrupted backfill (safe to delete unless one is running)"
    ]
    assert START % DAY == 0


@pytest.mark.parametrize("value", ["l-1", "l-9"], ids=["row", "no-row"])
def test_a_backfill_that_read_before_an_erasure_brings_no_row_back(
    value: str, lakes: tuple[Path, Path]
) -> None:
    """The lake may have lost the erased row before, to a retention; the topic still had it."""
    lake, staged = lakes
    before = erasures(lake, ["locks"])
    write(staged, range(10), changed=(3,), run="b")
    erase(lake, "lock_id", value)
    rows = rows_of(lake, "locks")
    with pytest.raises(Failure, match="rows were erased from the dataset 'locks' while the back"):
        merge_backfill(staged, lake, ["locks"], erased=before)
    assert rows_of(lake, "locks") == rows
    again = erasures(lake, ["locks"])
    (found,) = merge_backfill(staged, lake, ["locks"], erased=again)
    assert counts(found)[1] > 0
