"""Old files and a person's rows are deleted from every dataset, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.table_files import DAY, HOUR, ROWS, START, put, readings, rows_of, written
from tocsin.foundation.failure import Failure
from tocsin.lake.compaction import compact
from tocsin.lake.datasets import files_of, table_of
from tocsin.lake.retention import Deleted, erase, retain
from tocsin.table.checkpoints import write_checkpoint


def test_files_past_their_retention_are_removed(lake: Path) -> None:
    gone = retain(lake, START + 3 * DAY + HOUR)
    # Files of `locks` are kept for two days; `others` has no retention.
    assert [(one.dataset, one.files, one.rows) for one in gone] == [("locks", 5, 5 * ROWS)]
    assert gone[0].version == table_of(lake / "locks").version
    assert len(rows_of(lake, "locks")) == 7 * ROWS
    assert len(rows_of(lake, "others")) == 12 * ROWS
    compact(lake, 0)
    assert retain(lake, START + 3 * DAY + HOUR) == []
    assert [one.rows for one in retain(lake, START + 4 * DAY)] == [3 * ROWS]


@pytest.mark.parametrize(("now", "gone"), [(99, 0), (100, 1), (101, 1)])
def test_a_file_goes_when_its_last_row_is_old_enough(now: int, gone: int, tmp_path: Path) -> None:
    put(tmp_path / "d", readings(0), until=90, retention=10)
    put(tmp_path / "d", readings(1), 1, until=1)
    assert len(retain(tmp_path, now)) == gone
    assert len(files_of(tmp_path)) == 2 - gone


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("has_checkpoint", [False, True])
def test_rows_with_a_value_are_erased_from_every_dataset(lake: Path, has_checkpoint: bool) -> None:
    compact(lake, DAY, "locks")
    if has_checkpoint:
        write_checkpoint(str(lake / "locks"), table_of(lake / "locks").version)
    gone = {one.dataset: one.rows for one in erase(lake, "lock_id", "l-2")}
    assert gone == {"locks": 12 * 2, "others": 12 * 2}
    for name in gone:
        assert {row[0] for row in rows_of(lake, name)} == {"l-0", "l-1"}
        assert len(rows_of(lake, name)) == 12 * 4
    # Neither the files that were removed before, nor the bounds of the log have it.
    left = everything(lake)
    assert b"l-2" not in left
    assert b"l-0" in left
    assert erase(lake, "lock_id", "l-2") == []


def test_a_certificate_names_version_files_and_rows(tmp_path: Path) -> None:
    put(tmp_path / "d", readings(0))
    put(tmp_path / "d", readings(1, lock_id=["l-1"] * ROWS), 1)
    put(tmp_path / "d", readings(2, lock_id=["l-0"] * ROWS), 2)
    before = table_of(tmp_path / "d").version
    assert erase(tmp_path, "lock_id", "l-1") == [Deleted("d", before + 2, 2, 2 + ROWS)]
    assert len(files_of(tmp_path)) == 2, "a file without other rows is not written again"


def test_files_that_are_not_committed_yet_stay(tmp_path: Path) -> None:
    """A job may commit them; what a killed one left for an hour goes."""
    put(tmp_path / "d", readings(0))
    young, old = (tmp_path / "d" / written(tmp_path / "d", readings(1)).path for _ in range(2))
    os.utime(old, (1, 1))
    erase(tmp_path, "lock_id", "l-1")
    assert young.exists()
    assert not old.exists()


def test_what_a_process_leaves_that_was_killed_in_a_commit_goes_after_an_hour(
    tmp_path: Path,
) -> None:
    place = tmp_path / "d"
    put(place, readings(0))
    names = ["_delta_log/.1.json.0a.tmp", "_delta_log/2.checkpoint.parquet#1", ".checkpoint-0b"]
    (place / names[2] / "_delta_log").mkdir(parents=True)
    for name in [*names[:2], f"{names[2]}/_delta_log/1.json"]:
        (place / name).write_bytes(b'{"minValues": {"lock_id": "l-1"}}')
    erase(tmp_path, "lock_id", "l-1")
    assert all((place / name).exists() for name in names), "a living process may need them"
    for name in names:
        os.utime(place / name, (1, 1))
    erase(tmp_path, "lock_id", "l-1")
    assert not any((place / name).exists() for name in names)


def test_only_the_named_dataset_is_erased(lake: Path) -> None:
    assert [one.dataset for one in erase(lake, "lock_id", "l-1", "locks")] == ["locks"]
    assert len(rows_of(lake, "others")) == 12 * ROWS
    with pytest.raises(Failure, match=r"no dataset 'loks' in .*it has locks, others"):
        erase(lake, "lock_id", "l-1", "loks")


def test_a_column_that_no_dataset_has_is_an_error(lake: Path) -> None:
    with pytest.raises(Failure, match=r"no dataset of .* has a column 'plate'"):
        erase(lake, "plate", "x")


def test_a_list_is_no_text(tmp_path: Path) -> None:
    put(tmp_path / "d", pa.table({"marks": [[1, 2]]}))
    with pytest.raises(Failure, match=r"values of 'marks' \(list.* cannot be compared with a text"):
        erase(tmp_path, "marks", "1")


ODD = ["", "%", "a/b", "..", "x=y", "007", "null", "__HIVE_DEFAULT_PARTITION__", "x" * 300, None]


@settings(max_examples=15, deadline=None)
@given(
    files=st.lists(st.lists(st.sampled_from(ODD), min_size=1, max_size=5), min_size=1, max_size=4),
    gone=st.sampled_from(ODD[:-1]),
    compacts=st.booleans(),
)
def test_erasing_any_value_deletes_its_rows_only(
    files: list[list[Any]], gone: str, compacts: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("odd")
    for number, values in enumerate(files):
        rows = readings(number, len(values)).drop_columns("lock_id")
        put(root / "d", rows.append_column("place", pa.array(values, pa.string())), number)
    if compacts:
        compact(root, 0)
    erase(root, "place", gone)
    left = sorted(str(value) for values in files for value in values if value != gone)
    if left:
        assert sorted(str(row[0]) for row in rows_of(root, "d", "place")) == left
    else:
        assert files_of(root) == []
