"""A lake that is looked after: small files into large ones under the eyes of readers, retention, erasure, contents; three readers."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars
import pyarrow as pa
import pytest
import shapely
from pyarrow import dataset as datasets
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import SYSTEM_FIELDS, readings_schema, timestamps
from tocsin.lake.audit import check_lake
from tocsin.lake.catalog import contents
from tocsin.lake.compaction import compact
from tocsin.lake.query import files_of, open_lake
from tocsin.lake.retention import erase, retain
from tocsin.parts.registry import find

HOUR, DAY = 3_600_000_000, 86_400_000_000
START = 1_772_409_600_000_000  # 2026-03-02T00:00Z
FIELDS = [
    pa.field("lock_id", pa.string()),
    pa.field("value", pa.float64()),
    pa.field("lat", pa.float64()),
    pa.field("lng", pa.float64()),
]
SCHEMA = readings_schema(FIELDS, topic="city.locks", allowed_lateness=0)
ROWS = 6


def batch_of(hour: int) -> pa.RecordBatch:
    times = START + hour * HOUR + np.arange(ROWS, dtype=np.int64) * 60_000_000
    columns = [
        pa.array([f"l-{at % 3}" for at in range(ROWS)]), pa.array(np.arange(ROWS) + hour * 100.0),
        pa.array([48.1, 48.2, None, 48.4, 48.5, 48.6]), pa.array([-1.6] * ROWS), timestamps(times), timestamps(times - HOUR),
        pa.array([0] * ROWS, pa.int32()), pa.array(hour * ROWS + np.arange(ROWS)), pa.array([0] * ROWS, pa.int32()),
    ]  # fmt: skip
    assert len(columns) == len(FIELDS) + len(SYSTEM_FIELDS)
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Three days of hourly files: locks, kept for two days, as GeoParquet; and others by lock, kept for good."""
    locks = find("write", "write_to_lake")(
        lake=str(tmp_path), dataset="locks", span="1 h", geometry=["lat", "lng"], retention="2 d"
    )
    others = find("write", "write_to_lake")(
        lake=str(tmp_path), dataset="others", span="1 h", partition_by=["date", "lock_id"]
    )
    for hour in range(72):
        for sink in (locks, others):
            sink.write(batch_of(hour), f"{START + hour * HOUR}.s000.r0")
    return tmp_path


def rows_of(lake: Path, name: str) -> list[Any]:
    connection, _ = open_lake(lake)
    found: list[Any] = connection.execute(
        f"select lock_id, value, _offset from {name} order by all"
    ).fetchall()
    return found


def test_small_files_become_large_ones_with_the_same_rows(lake: Path) -> None:
    before = {name: rows_of(lake, name) for name in ("locks", "others")}
    done = {one.dataset: one for one in compact(lake, DAY)}
    # Two days are a day older than the newest; the third is left alone.
    assert (done["locks"].before, done["locks"].after, done["locks"].rows) == (72, 26, 48 * ROWS)
    assert done["others"].after == 3 * (2 + 24)
    assert {name: rows_of(lake, name) for name in before} == before
    assert check_lake(lake).is_good
    assert check_lake(lake).offsets["city.locks"]["0"] == [0, 72 * ROWS - 1]
    assert compact(lake, DAY)[0].rows == 0, "nothing is left to do"
    assert not [path for path in lake.iterdir() if path.name.startswith(".")]
    # Later, what was put together already and what has come since.
    assert [one.after for one in compact(lake, 0, "locks")] == [3]
    assert rows_of(lake, "locks") == before["locks"]


def test_readers_see_all_rows_or_ask_again(lake: Path) -> None:
    counts, stop = set[int](), threading.Event()

    def read() -> None:
        connection = duckdb.connect()
        while not stop.is_set():
            try:
                found = connection.execute(
                    f"select count(*) from read_parquet('{lake}/locks/**/*.parquet')"
                ).fetchone()
                counts.add(found[0])
            except duckdb.IOException:
                # It listed the folder before the exchange, and opened a file after it.
                continue

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for older_than in (2 * DAY, DAY, 0):
            compact(lake, older_than, "locks")
    finally:
        stop.set()
        reader.join()
    assert counts <= {72 * ROWS}


def test_three_readers_read_it(lake: Path) -> None:
    compact(lake, DAY)
    total = sum(row[1] for row in rows_of(lake, "locks"))
    assert (
        datasets.dataset(lake / "locks", partitioning="hive")
        .to_table(columns=["value"])
        .column("value")
        .to_numpy()
        .sum()
        == total
    )
    assert (
        polars.scan_parquet(lake / "locks/**/*.parquet", hive_partitioning=True)
        .select("value")
        .collect()["value"]
        .sum()
        == total
    )
    by_day = (
        polars.scan_parquet(lake / "others/**/*.parquet", hive_partitioning=True)
        .group_by("date")
        .len()
        .collect()
    )
    assert by_day["len"].to_list() == [24 * ROWS] * 3
    query = f"select sum(value) from read_parquet('{lake}/locks/**/*.parquet', hive_partitioning = true)"
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


def test_what_is_too_old_goes(lake: Path) -> None:
    gone = retain(lake, START + 3 * DAY + HOUR)
    # Of locks the files that ended two days before; others have no retention.
    assert [(one.dataset, one.files, one.rows) for one in gone] == [("locks", 25, 25 * ROWS)]
    assert len(rows_of(lake, "locks")) == 47 * ROWS
    assert len(rows_of(lake, "others")) == 72 * ROWS
    compact(lake, 0)
    assert [one.rows for one in retain(lake, START + 4 * DAY)] == [23 * ROWS]


def test_somebody_is_forgotten_wherever_they_stand(lake: Path) -> None:
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
    with pytest.raises(Failure, match=r"no dataset of .* has a column 'plate'"):
        erase(lake, "plate", "x")


def test_the_table_of_contents(lake: Path) -> None:
    locks, others = contents(lake)
    assert (locks["dataset"], locks["rows"], locks["files"]) == ("locks", 72 * ROWS, 72)
    assert locks["columns"] == {
        "lock_id": "string", "value": "double", "lat": "double", "lng": "double", "_event_time": "timestamp[us, tz=UTC]",
        "_partition": "int32", "_offset": "int64", "_index": "int32", "geometry": "binary",
    }  # fmt: skip
    assert (locks["from"], locks["to"]) == (
        "2026-03-02T00:00:00+00:00",
        "2026-03-05T00:00:00+00:00",
    )
    assert (locks["topics"], locks["retention_seconds"], locks["partitioned_by"]) == (
        ["city.locks"],
        172_800.0,
        ["date"],
    )
    assert (others["partitioned_by"], others["retention_seconds"]) == (["date", "lock_id"], None)


def test_the_command(lake: Path, tocsin: Any) -> None:
    code, out, _ = tocsin("lake", lake, "contents")
    assert code == 0
    assert "lock_id, value" in out
    code, out, _ = tocsin("lake", lake, "compact", "--older-than", "1 d", "--json")
    assert (code, json.loads(out)[0]["after"]) == (0, 26)
    assert tocsin("lake", lake, "erase")[0] == 2
    code, out, _ = tocsin("lake", lake, "erase", "--where", "lock_id=l-2")
    assert code == 0
    assert "locks" in out
    code, _, told = tocsin("lake", lake, "erase", "--where", "plate=x")
    assert (code, "no dataset" in told) == (1, True)
    assert tocsin("lake", lake, "retain")[0] == 0
