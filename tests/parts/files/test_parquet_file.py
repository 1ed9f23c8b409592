"""Parquet files of any writer give the same rows, or rejects; a file that fails is named."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.kernels.avro.fuzz import MILLIS, record
from tocsin.foundation.faults import Fault
from tocsin.kernels.avro.types import leaves, parse_schema
from tocsin.parts.files.parquet_file import check_columns, footer, leaves_of, parquet_file

MOMENT = datetime(2026, 3, 2, 10, 0, 0, 123456, UTC)
NANOS = 1772445600123456789
DATE = {"type": "int", "logicalType": "date"}


def write(folder: Path, name: str = "x.parquet", **columns: Any) -> str:
    parquet.write_table(pa.table(columns), folder / name, row_group_size=2)
    return str(folder / name)


def read(path: str, schema: Any = None) -> tuple[list[Any], list[Any]]:
    found = leaves_of(footer(path)) if schema is None else leaves(parse_schema(json.dumps(schema)))
    check_columns(path, found)
    rows, rejected, first = [], [], 0
    for piece in parquet_file(path, found, [], 3):
        rows += piece.decoded.batch.to_pylist()
        rejected += [(first + at, why) for at, why in piece.decoded.faults]
        first += piece.count
    return rows, rejected


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        (pa.array(["a"]).dictionary_encode(), pa.string(), "a"),
        (pa.array([1.5]).dictionary_encode(), pa.float64(), 1.5),
        (pa.array(["a"], pa.string_view()), pa.string(), "a"),
        (pa.array(["a"], pa.large_string()), pa.string(), "a"),
        (pa.array([b"a"], pa.large_binary()), pa.binary(), b"a"),
        (pa.array([b"ab"], pa.binary(2)), pa.binary(), b"ab"),
        (pa.array([NANOS], pa.timestamp("ns", "UTC")), pa.timestamp("us", "UTC"), MOMENT),
        (pa.array([NANOS], pa.timestamp("ns", "Asia/Tokyo")), pa.timestamp("us", "UTC"), MOMENT),
        (pa.array([NANOS], pa.timestamp("ns")), pa.timestamp("us"), MOMENT.replace(tzinfo=None)),
        (pa.array([date(2026, 3, 2)], pa.date32()), pa.date32(), date(2026, 3, 2)),
        (pa.array([1_001], pa.time64("ns")), pa.time64("us"), time(0, 0, 0, 1)),
        (pa.array([[NANOS]], pa.large_list(pa.timestamp("ns", "UTC"))), None, [MOMENT]),
        (pa.array([["a"]], pa.list_(pa.large_string(), 1)), pa.list_(pa.string()), ["a"]),
        (pa.array([{"x": NANOS}], pa.struct([("x", pa.timestamp("ns", "UTC"))])), None,
         {"x": MOMENT}),
        (pa.array([[("k", "v")]], pa.map_(pa.string(), pa.large_string())), None, [("k", "v")]),
        (pa.array([2**64 - 1], pa.uint64()), pa.uint64(), 2**64 - 1),
        (pa.array([Decimal("1.50")]), pa.decimal128(3, 2), Decimal("1.50")),
    ],
)  # fmt: skip
def test_a_column_of_another_writer_is_read(
    column: Any, kind: Any, value: Any, tmp_path: Path
) -> None:
    path = write(tmp_path, x=column)
    rows, rejected = read(path)
    assert (rows, rejected) == ([{"x": value}], [])
    if kind is not None:
        assert leaves_of(footer(path))[0].type == kind


def test_int96_is_read(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array([NANOS, None], pa.timestamp("ns"))})
    parquet.write_table(table, tmp_path / "x.parquet", use_deprecated_int96_timestamps=True)
    rows, rejected = read(str(tmp_path / "x.parquet"))
    assert rows == [{"x": MOMENT.replace(tzinfo=None)}, {"x": None}]
    assert rejected == []


def test_columns_are_read_by_a_schema(tmp_path: Path) -> None:
    place = record("P", ("lat", "double"))
    schema = record(
        "R", ("at", MILLIS), ("day", DATE), ("v", "double"), ("place", place), ("n", "int", 7)
    )
    path = write(
        tmp_path,
        at=[1772445600000],
        day=["2026-03-02"],
        v=[2**53 + 1],
        place=[{"lat": 1.5, "lon": 2.5}],
        other=[1],
    )
    rows, rejected = read(path, schema)
    wanted = {"at": MOMENT.replace(microsecond=0), "day": date(2026, 3, 2), "v": 2.0**53}
    assert rows == [{**wanted, "place_lat": 1.5, "n": 7}]
    assert rejected == []


def test_a_value_that_does_not_fit_is_a_reject_of_its_row(tmp_path: Path) -> None:
    schema = record("R", ("at", MILLIS), ("n", "int"))
    late = 1772445600000000000
    path = write(tmp_path, at=[1772445600000, late, 1772445600000], n=[1, 2, None])
    rows, rejected = read(path, schema)
    assert [row["n"] for row in rows] == [1]
    assert [at for at, _ in rejected] == [1, 2]
    assert "'at'" in rejected[0][1]
    assert "is it in another unit?" in rejected[0][1]
    assert "'n': it is null" in rejected[1][1]


def test_a_damaged_row_group_is_a_reject_and_the_others_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, x=[f"text number {n}" for n in range(6)])
    about = parquet.ParquetFile(path).metadata.row_group(1).column(0)
    start = about.dictionary_page_offset or about.data_page_offset
    raw = bytearray(Path(path).read_bytes())
    raw[start : start + about.total_compressed_size] = b"\xff" * about.total_compressed_size
    Path(path).write_bytes(raw)
    rows, rejected = read(path)
    assert [row["x"][-1] for row in rows] == ["0", "1", "4", "5"]
    assert [at for at, _ in rejected] == [2]
    assert rejected[0][1].startswith("rows are not readable: ")


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"y": [1]}, "x.parquet has no column 'x' (columns: y)"),
        ({"x": [[1]]}, "x.parquet: column 'x' is list<element: int64>, which is not read as"),
        ({"x": [datetime(2026, 3, 2, tzinfo=UTC)]}, "which is not read as int64"),
    ],
)
def test_a_file_without_the_columns_is_named(columns: Any, sentence: str, tmp_path: Path) -> None:
    path = write(tmp_path, **columns)
    with pytest.raises(Fault) as wrong:
        read(path, record("R", ("x", "long")))
    assert sentence in str(wrong.value)


def test_a_file_that_is_no_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(Fault, match=r"cannot read .*x\.parquet: "):
        check_columns(str(tmp_path / "x.parquet"), [])
    with pytest.raises(Fault, match=r"cannot read .*none\.parquet: No such file or directory"):
        check_columns(str(tmp_path / "none.parquet"), [])
