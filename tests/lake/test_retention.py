"""Old files and a person's rows are deleted from every dataset, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.lakes import DAY, HOUR, ROWS, START, rows_of
from tocsin.foundation.failure import Failure
from tocsin.lake.compaction import compact
from tocsin.lake.retention import erase, retain


def test_files_past_their_retention_are_deleted(lake: Path) -> None:
    gone = retain(lake, START + 3 * DAY + HOUR)
    # Files of `locks` are kept for two days; `others` has no retention.
    assert [(one.dataset, one.files, one.rows) for one in gone] == [("locks", 25, 25 * ROWS)]
    assert len(rows_of(lake, "locks")) == 47 * ROWS
    assert len(rows_of(lake, "others")) == 72 * ROWS
    compact(lake, 0)
    assert [one.rows for one in retain(lake, START + 4 * DAY)] == [23 * ROWS]


def test_rows_with_a_value_are_erased_from_every_dataset(lake: Path) -> None:
    compact(lake, DAY, "locks")
    gone = {one.dataset: one.rows for one in erase(lake, "lock_id", "l-1")}
    assert gone == {"locks": 72 * 2, "others": 72 * 2}
    for name in gone:
        assert {row[0] for row in rows_of(lake, name)} == {"l-0", "l-2"}
        assert len(rows_of(lake, name)) == 72 * 4
    left = b"".join(path.read_bytes() for path in lake.rglob("*.parquet"))
    assert b"l-1" not in left
    assert b"l-0" in left
    assert erase(lake, "lock_id", "l-1") == []


def test_only_the_named_dataset_is_erased(lake: Path) -> None:
    assert [one.dataset for one in erase(lake, "lock_id", "l-1", "locks")] == ["locks"]
    assert len(rows_of(lake, "others")) == 72 * ROWS


def test_a_column_that_no_dataset_has_is_an_error(lake: Path) -> None:
    with pytest.raises(Failure, match=r"no dataset of .* has a column 'plate'"):
        erase(lake, "plate", "x")


def test_rows_of_folders_and_of_files_are_counted_together(tmp_path: Path) -> None:
    """A dataset whose partitions changed has the column in some files and in other folders."""
    in_folder = tmp_path / "doors" / "lock_id=l-1"
    in_folder.mkdir(parents=True)
    parquet.write_table(pa.table({"value": [1.0, 2.0]}), in_folder / "a.parquet")
    names = pa.table({"lock_id": ["l-1", "l-2", "l-1"], "value": [1.0, 2.0, 3.0]})
    parquet.write_table(names, tmp_path / "doors" / "b.parquet")
    parquet.write_table(names, tmp_path / "doors" / "c.parquet")
    (gone,) = erase(tmp_path, "lock_id", "l-1")
    assert (gone.rows, gone.files) == (6, 3)
