"""Other programs read a lake as it is: Arrow, Polars, DuckDB and map programs."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import polars as pl
import shapely
from pyarrow import dataset as datasets
from pyarrow import parquet

from tests.support.lakes import DAY, ROWS, rows_of
from tocsin.lake.compaction import compact
from tocsin.lake.query import files_of, quoted


def test_arrow_polars_and_duckdb_read_the_same_rows(lake: Path) -> None:
    compact(lake, DAY)
    total = sum(row[1] for row in rows_of(lake, "locks"))
    table = datasets.dataset(lake / "locks", partitioning="hive").to_table(columns=["value"])
    assert table.column("value").to_numpy().sum() == total
    locks = pl.scan_parquet(lake / "locks/**/*.parquet", hive_partitioning=True)
    assert locks.select("value").collect()["value"].sum() == total
    others = pl.scan_parquet(lake / "others/**/*.parquet", hive_partitioning=True)
    assert others.group_by("date").len().collect()["len"].to_list() == [24 * ROWS] * 3
    query = f"select sum(value) from read_parquet('{lake}/locks/**/*.parquet')"
    assert duckdb.connect().execute(query).fetchone() == (total,)


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
