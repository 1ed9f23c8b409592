"""What files named by what they hold could not do, and a table with commits does."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from tests.support.lakes import START, partitioned
from tests.support.tables import live_files, strays, values
from tocsin.foundation.failure import Failure
from tocsin.parts.registry import find

MINUTE = 60_000_000
YEAR = 365 * 24 * 60 * MINUTE
ODD = ["", "%", "a/b", "007", None, "__HIVE_DEFAULT_PARTITION__"]


RUNS = count()


def write(lake: Path, batch: pa.RecordBatch, **settings: Any) -> None:
    """A bounded run whose rows are in one unit."""
    sink = find("write", "write_to_lake")(lake=str(lake), dataset="places", **settings)
    sink.set_step_name("city/places")
    sink.set_run(f"run{next(RUNS)}")
    at = batch.column("_event_time")[0].value
    sink.write(batch, f"{at // sink.span * sink.span}.s000.r0")
    sink.flush()
    sink.end(0)


def rows_of(lake: Path) -> list[Any]:
    return values(lake, "places", "place")


def offset(batch: pa.RecordBatch, by: int) -> pa.RecordBatch:
    """The same rows at later offsets."""
    at = batch.schema.get_field_index("_offset")
    moved = pa.array([one + by for one in batch.column(at).to_pylist()])
    return batch.set_column(at, batch.schema.field(at), moved)


def test_two_bounded_runs_over_one_quarter_hour_are_both_in_the_lake(tmp_path: Path) -> None:
    write(tmp_path, partitioned(pa.array(["a", "b"])))
    write(tmp_path, offset(partitioned(pa.array(["c"]), at=START + MINUTE), 2))
    assert rows_of(tmp_path) == ["a", "b", "c"]


def test_two_recordings_in_one_dataset_are_both_in_the_lake(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path, partitioned(pa.array([name]), topic=f"file:{name}.jsonl"))
    assert rows_of(tmp_path) == ["one", "two"]


def test_a_job_with_other_columns_does_not_replace_the_files_of_the_first(tmp_path: Path) -> None:
    write(tmp_path, partitioned(pa.array(["a"])))
    with pytest.raises(Failure, match="'place' is string in the dataset 'places', and int64"):
        write(tmp_path, partitioned(pa.array([7]), topic="city.other"))
    assert rows_of(tmp_path) == ["a"]
    assert strays(tmp_path, "places") == []


def test_a_rerun_with_another_setting_leaves_no_row_twice(tmp_path: Path) -> None:
    batch = partitioned(pa.array(["a", "b"]), at=START + 20 * MINUTE)
    write(tmp_path, batch)
    write(tmp_path, batch, span="1 h")
    assert rows_of(tmp_path) == ["a", "b"]


def test_event_times_beyond_the_year_9999_share_no_file(tmp_path: Path) -> None:
    for number, years in enumerate((8_000, 8_100)):
        rows = partitioned(pa.array([str(years)]), at=START + years * YEAR)
        write(tmp_path, offset(rows, number))
    assert rows_of(tmp_path) == ["8000", "8100"]


@pytest.mark.parametrize("value", ["Ленинградский проспект", "日" * 14, "x" * 300])
def test_a_long_partition_value_is_given_back(value: str, tmp_path: Path) -> None:
    write(tmp_path, partitioned(pa.array([value])), partition_by=["date", "place"])
    assert rows_of(tmp_path) == [value]


def by_duckdb(lake: Path) -> list[Any]:
    files = [str(file) for file in live_files(lake, "places")]
    found = duckdb.execute("select place from read_parquet(?)", [files]).fetchall()
    return [place for (place,) in found]


def by_polars(lake: Path) -> list[Any]:
    return list(pl.scan_delta(str(lake / "places")).select("place").collect()["place"])


def by_deltalake(lake: Path) -> list[Any]:
    rows = DeltaTable(str(lake / "places")).to_pyarrow_dataset().to_table(["place"])
    return list(rows.column("place").to_pylist())


@pytest.mark.parametrize("reader", [by_duckdb, by_polars, by_deltalake])
@pytest.mark.parametrize("by", [["place"], ["date"], []])
def test_every_reader_gives_odd_partition_values_back(
    reader: Any, by: list[str], tmp_path: Path
) -> None:
    write(tmp_path, partitioned(pa.array(ODD)), partition_by=by)
    assert sorted(reader(tmp_path), key=str) == sorted(ODD, key=str)


@pytest.mark.parametrize("value", [one for one in ODD if one is not None])
def test_a_filter_on_an_odd_value_finds_its_row(value: str, tmp_path: Path) -> None:
    write(tmp_path, partitioned(pa.array(ODD)), partition_by=["place"])
    place = str(tmp_path / "places")
    assert pl.scan_delta(place).filter(pl.col("place") == value).collect().height == 1
    rows = DeltaTable(place).to_pyarrow_dataset().to_table(filter=pc.field("place") == value)
    assert rows.num_rows == 1
