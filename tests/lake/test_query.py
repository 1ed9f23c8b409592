"""Other programs read a table as it is: deltalake, pyarrow, Polars, DuckDB and map programs."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import polars as pl
import pytest
import shapely
from deltalake import DeltaTable
from pyarrow import parquet

from tests.support.table_files import DAY, ROWS, put, readings, rows_of
from tocsin.foundation.failure import Failure
from tocsin.lake.compaction import compact
from tocsin.lake.datasets import files_of
from tocsin.lake.query import open_lake, open_views, quoted


def test_other_readers_of_tables_read_the_same_rows(lake: Path) -> None:
    compact(lake, DAY)
    total = sum(row[1] for row in rows_of(lake, "locks"))
    table = DeltaTable(lake / "locks").to_pyarrow_table(columns=["value"])
    assert table.column("value").to_numpy().sum() == total
    found = pl.scan_delta(str(lake / "locks")).select(pl.col("value").sum(), pl.len()).collect()
    assert found.row(0) == (total, 12 * ROWS)
    rows = DeltaTable(lake / "locks").to_pyarrow_dataset()
    assert duckdb.sql("select sum(value) from rows").fetchall() == [(total,)]
    assert rows is not None


def test_map_programs_find_points(lake: Path) -> None:
    compact(lake, DAY)
    for file in (files_of(lake / "locks")[0], files_of(lake / "locks")[-1]):
        table = parquet.read_table(file, partitioning=None)
        geo = json.loads(table.schema.metadata[b"geo"])
        assert geo["version"] == "1.1.0"
        assert geo["columns"][geo["primary_column"]]["encoding"] == "WKB"
        points = shapely.from_wkb(table.column("geometry").to_numpy(zero_copy_only=False))
        for point, lat in zip(points, table.column("lat").to_pylist(), strict=True):
            assert point is None if lat is None else (point.x, point.y) == (-1.6, lat)


def test_a_name_in_sql_holds_any_character() -> None:
    assert quoted('a"b') == '"a""b"'
    name = 'a"";'
    assert duckdb.sql(f"select 1 as {quoted(name)}").columns == [name]


def test_the_view_of_a_dataset_has_the_newest_revision_of_each_key(windows: Path) -> None:
    connection, (only,) = open_lake(windows)
    assert (only.files, only.rows) == (2, 3)
    assert (only.first, only.last) == ("2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z")
    newest = connection.execute("select window_start, k, x from d order by all").fetchall()
    assert newest == [(0, "a", 9), (0, "b", 2), (1, "a", 3)]
    assert connection.execute("select count(*) from d_all").fetchall() == [(4,)]


def test_files_of_no_version_are_not_read(tmp_path: Path) -> None:
    """A killed job leaves files, and a compaction leaves those that it merged."""
    file = put(tmp_path / "d", readings(0))
    file.with_name("other.parquet").write_bytes(file.read_bytes())
    put(tmp_path / "d", readings(1), 1)
    compact(tmp_path, 0)
    assert len(rows_of(tmp_path, "d")) == 2 * ROWS


@pytest.mark.parametrize("harm", ["missing", "cut", "empty"])
def test_a_broken_file_is_named_and_the_rest_can_be_read(
    harm: str, tmp_path: Path, tocsin: object
) -> None:
    put(tmp_path / "d", readings(0))
    file = put(tmp_path / "d", readings(1), 1)
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-40] if harm == "cut" else b"")
    with pytest.raises(Failure, match=f"{file}: cannot be read"):
        open_views(tmp_path)
    connection, _ = open_views(tmp_path, [file])
    assert connection.execute("select count(*) from d").fetchall() == [(ROWS,)]
    query = "select count(*) as n from d"
    code, out, errors = tocsin("lake", tmp_path, query, "--skip-unreadable")  # type: ignore[operator]
    assert (code, "6" in out) == (0, True)
    assert f"left out: {file}: cannot be read" in errors
    assert tocsin("lake", tmp_path, query)[0] == 1  # type: ignore[operator]


def test_a_dataset_with_an_odd_name_has_a_view(tmp_path: Path) -> None:
    put(tmp_path / 'a "b" c', readings(0))
    _, (only,) = open_lake(tmp_path)
    assert (only.name, only.rows) == ('a "b" c', ROWS)
