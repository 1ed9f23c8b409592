"""A backfill replaces the files whose rows differ, and no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.support.lakes import DAY, HOUR, START, batch_of, rows_of
from tocsin.lake.audit import audit_lake
from tocsin.lake.backfill_merge import MergedDataset, merge_backfill
from tocsin.lake.compaction import compact
from tocsin.lake.query import files_of
from tocsin.parts.registry import find


def write(lake: Path, hours: range, changed: tuple[int, ...] = (), dataset: str = "locks") -> None:
    """Write a file for each hour; in changed hours with another value."""
    sink = find("write", "write_to_lake")(lake=str(lake), dataset=dataset, span="1 h")
    for hour in hours:
        batch = batch_of(hour)
        if hour in changed:
            batch = batch.set_column(1, batch.schema.field(1), pc.add(batch.column(1), 1000.0))
        sink.write(batch, f"{START + hour * HOUR}.s000.r0")


def identities(lake: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of each file, which change if it is written again."""
    return {
        file.name: (file.stat().st_ino, file.stat().st_mtime_ns)
        for file in files_of(lake / "locks")
    }


def names(files: list[str]) -> list[str]:
    return [Path(name).name[9:11] for name in files]


@pytest.fixture
def lakes(tmp_path: Path) -> tuple[Path, Path]:
    """A lake of ten hours, and an empty staged one."""
    write(tmp_path / "lake", range(10))
    staged = tmp_path / "lake" / ".staged"
    staged.mkdir()
    return tmp_path / "lake", staged


def test_only_files_with_other_rows_are_written(lakes: tuple[Path, Path]) -> None:
    lake, staged = lakes
    before = identities(lake)
    write(staged, range(11), changed=(3, 7))
    found = merge_backfill(staged, lake, ["locks"])[0]
    assert (found.same, names(found.changed), names(found.new), found.gone, found.kept) == (
        8,
        ["03", "07"],
        ["10"],
        [],
        [],
    )
    after = identities(lake)
    assert names([name for name in before if after[name] != before[name]]) == ["03", "07"]
    write(other := lake.parent / "other", range(11), changed=(3, 7))
    assert rows_of(lake, "locks") == rows_of(other, "locks")
    assert not files_of(staged / "locks")[0].name.startswith("20260302T03"), "moved, not copied"


def test_files_without_rows_in_the_rerun_are_removed(lakes: tuple[Path, Path]) -> None:
    lake, staged = lakes
    write(staged, range(4))
    write(staged, range(5, 10))
    found = merge_backfill(staged, lake, ["locks"])[0]
    assert (found.same, names(found.gone)) == (9, ["04"])
    assert "20260302T040000Z" not in {name.split("-")[0] for name in identities(lake)}


def test_files_that_were_not_read_again_stay(lakes: tuple[Path, Path]) -> None:
    """The topic has deleted its first messages, and a running job has read more."""
    lake, staged = lakes
    before = identities(lake)
    write(staged, range(2, 8), changed=(2, 5))
    found = merge_backfill(staged, lake, ["locks"])[0]
    assert names(found.kept) == ["00", "01", "08", "09"]
    assert names(found.changed) == ["02", "05"]
    assert names([name for name, known in identities(lake).items() if known == before[name]]) == [
        "00",
        "01",
        "03",
        "04",
        "06",
        "07",
        "08",
        "09",
    ]


def test_a_file_that_was_read_again_in_part_stays(lakes: tuple[Path, Path]) -> None:
    lake, staged = lakes
    sink = find("write", "write_to_lake")(lake=str(staged), dataset="locks", span="1 h")
    sink.write(batch_of(9).slice(0, 3), f"{START + 9 * HOUR}.s000.r0")
    found = merge_backfill(staged, lake, ["locks"])[0]
    assert names(found.kept) == [f"{hour:02}" for hour in range(10)]
    assert (found.changed, found.new, found.gone) == ([], [], [])


def test_files_that_end_before_since_stay(lakes: tuple[Path, Path]) -> None:
    lake, staged = lakes
    write(staged, range(10), changed=(2, 5, 8))
    found = merge_backfill(staged, lake, ["locks"], START + 6 * HOUR)[0]
    assert (found.same, names(found.changed), found.kept) == (3, ["08"], [])
    assert names(merge_backfill(staged, lake, ["locks"], START + 5 * HOUR + 1)[0].changed) == ["05"]


def test_a_file_without_offsets_is_not_removed(
    lakes: tuple[Path, Path],
) -> None:
    lake, staged = lakes
    sink = find("write", "write_to_lake")(lake=str(lake), dataset="locks", span="1 h")
    unplaced = batch_of(20)
    at = unplaced.schema.get_field_index("_offset")
    sink.write(
        unplaced.set_column(at, unplaced.schema.field(at), pa.nulls(unplaced.num_rows, pa.int64())),
        f"{START + 20 * HOUR}.s000.r0",
    )
    write(staged, range(10))
    assert names(merge_backfill(staged, lake, ["locks"])[0].kept) == ["20"]


@pytest.mark.parametrize("changed", [(), (5,)])
def test_a_compacted_folder_stays_or_is_replaced_as_a_whole(
    tmp_path: Path, changed: tuple[int, ...]
) -> None:
    lake, staged = tmp_path, tmp_path / ".staged"
    write(lake, range(72))
    compact(lake, DAY)
    before = identities(lake)
    assert len(before) == 26
    write(staged, range(72), changed=changed)
    found: MergedDataset = merge_backfill(staged, lake, ["locks"])[0]
    write(other := tmp_path / "other", range(72), changed=changed)
    assert rows_of(lake, "locks") == rows_of(other, "locks"), "no row occurs twice"
    rewritten = [name for name in before if identities(lake).get(name) != before[name]]
    assert len(rewritten) == len(found.changed) == len(changed)
    assert not [path for path in lake.iterdir() if path.name.startswith(".merge")]


def test_a_compacted_folder_that_was_read_again_in_part_stays(tmp_path: Path) -> None:
    lake, staged = tmp_path, tmp_path / ".staged"
    write(lake, range(72))
    compact(lake, DAY)
    before: Any = rows_of(lake, "locks")
    write(staged, range(12, 72), changed=(13, 50))
    found = merge_backfill(staged, lake, ["locks"])[0]
    # The first day was read in part, the second completely.
    assert len(found.kept) == 1
    assert names(found.changed) == ["02"]
    differ = np.array(
        [mine != theirs for mine, theirs in zip(rows_of(lake, "locks"), before, strict=True)]
    )
    assert differ.sum() > 0


def test_an_audit_reports_the_staging_folder_of_a_killed_backfill(
    lakes: tuple[Path, Path],
) -> None:
    lake, _ = lakes
    assert audit_lake(lake).is_good
    (lake / ".backfill-0123abcd").mkdir()
    assert audit_lake(lake).problems == [
        (
            ".backfill-0123abcd: left by an interrupted backfill or compaction "
            "(safe to delete unless one is running)"
        )
    ]


def test_a_dataset_without_rows_in_the_rerun_loses_all_files(lakes: tuple[Path, Path]) -> None:
    lake, staged = lakes
    write(staged, range(10), dataset="others")
    locks, others = merge_backfill(staged, lake, ["locks", "others"])
    assert len(locks.gone) == len(others.new) == 10
