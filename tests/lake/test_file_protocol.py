"""What files named by what they hold cannot do. A table with commits will do it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.lakes import START, partitioned
from tocsin.foundation.failure import Failure
from tocsin.lake.query import files_of, open_lake
from tocsin.parts.registry import find

DELTA = (
    "The lake becomes a real table: Delta Lake, "
    "with commits that hold under crashes, compaction and erasure"
)
MINUTE = 60_000_000
YEAR = 365 * 24 * 60 * MINUTE
ODD = ["", "%", "a/b", "007", None, "__HIVE_DEFAULT_PARTITION__"]


def write(lake: Path, batch: pa.RecordBatch, **settings: Any) -> None:
    """A bounded run whose rows are in one unit."""
    sink = find("write", "write_to_lake")(lake=str(lake), dataset="places", **settings)
    at = batch.column("_event_time")[0].value
    sink.write(batch, f"{at // sink.span * sink.span}.s000.r0")


def rows_of(lake: Path) -> list[Any]:
    found: list[Any] = open_lake(lake)[0].execute("select place from places").fetchall()
    return sorted(place for (place,) in found)


def offset(batch: pa.RecordBatch, by: int) -> pa.RecordBatch:
    """The same rows at later offsets."""
    at = batch.schema.get_field_index("_offset")
    moved = pa.array([one + by for one in batch.column(at).to_pylist()])
    return batch.set_column(at, batch.schema.field(at), moved)


@pytest.mark.xfail(strict=True, reason=DELTA)
def test_two_bounded_runs_over_one_quarter_hour_are_both_in_the_lake(tmp_path: Path) -> None:
    write(tmp_path, partitioned(pa.array(["a", "b"])))
    write(tmp_path, offset(partitioned(pa.array(["c"]), at=START + MINUTE), 2))
    assert rows_of(tmp_path) == ["a", "b", "c"]


@pytest.mark.xfail(strict=True, reason=DELTA)
def test_two_recordings_in_one_dataset_are_both_in_the_lake(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path, partitioned(pa.array([name]), topic=f"file:{name}.jsonl"))
    assert rows_of(tmp_path) == ["one", "two"]


@pytest.mark.xfail(strict=True, reason=DELTA)
def test_a_job_with_other_columns_does_not_replace_the_files_of_the_first(tmp_path: Path) -> None:
    write(tmp_path, partitioned(pa.array(["a"])))
    with suppress(Failure):  # A refusal is right, too.
        write(tmp_path, partitioned(pa.array([7]), topic="city.other"))
    (schema,) = {str(parquet.read_schema(file).field("place")) for file in files_of(tmp_path)}
    assert "string" in schema


@pytest.mark.xfail(strict=True, reason=DELTA)
def test_a_rerun_with_another_setting_leaves_no_row_twice(tmp_path: Path) -> None:
    batch = partitioned(pa.array(["a", "b"]), at=START + 20 * MINUTE)
    write(tmp_path, batch)
    write(tmp_path, batch, span="1 h")
    assert rows_of(tmp_path) == ["a", "b"]


@pytest.mark.xfail(strict=True, reason=DELTA)
def test_event_times_beyond_the_year_9999_share_no_file(tmp_path: Path) -> None:
    for years in (8_000, 8_100):
        write(tmp_path, partitioned(pa.array([str(years)]), at=START + years * YEAR))
    assert rows_of(tmp_path) == ["8000", "8100"]


@pytest.mark.xfail(strict=True, reason=DELTA)
@pytest.mark.parametrize("value", ["Ленинградский проспект", "日" * 14, "x" * 300])
def test_a_long_partition_value_is_given_back(value: str, tmp_path: Path) -> None:
    write(tmp_path, partitioned(pa.array([value])), partition_by=["date", "place"])
    assert rows_of(tmp_path) == [value]


def by_duckdb(lake: Path) -> list[Any]:
    query = f"select place from read_parquet('{lake}/**/*.parquet', hive_partitioning = true)"
    return [place for (place,) in duckdb.sql(query).fetchall()]


def by_polars(lake: Path) -> list[Any]:
    rows = pl.scan_parquet(lake / "**/*.parquet", hive_partitioning=True).select("place").collect()
    return list(rows["place"])


@pytest.mark.xfail(strict=True, reason=DELTA)
@pytest.mark.parametrize("reader", [by_duckdb, by_polars])
def test_every_reader_gives_odd_partition_values_back(reader: Any, tmp_path: Path) -> None:
    write(tmp_path, partitioned(pa.array(ODD)), partition_by=["place"])
    assert sorted(reader(tmp_path), key=str) == sorted(ODD, key=str)
