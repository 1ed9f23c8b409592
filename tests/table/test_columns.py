"""Types that Delta lacks become others that hold all values."""

from __future__ import annotations

import decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema

from tests.support.tables import table_of
from tocsin.table.columns import new_columns, stored_batch, stored_column, stored_type
from tocsin.table.commit import Change, commit
from tocsin.table.data_file import data_path, write_data_file
from tocsin.table.table import create_table

STORED = [
    (pa.array([0, 255, None], pa.uint8()), pa.int16(), [0, 255, None]),
    (pa.array([0, 2**16 - 1], pa.uint16()), pa.int32(), [0, 2**16 - 1]),
    (pa.array([0, 2**32 - 1], pa.uint32()), pa.int64(), [0, 2**32 - 1]),
    (
        pa.array([0, 2**64 - 1, None], pa.uint64()),
        pa.decimal128(20, 0),
        [decimal.Decimal(0), decimal.Decimal(2**64 - 1), None],
    ),
    (pa.array([1, None], pa.time32("s")), pa.int64(), [1_000_000, None]),
    (pa.array([1, 2], pa.time32("ms")), pa.int64(), [1000, 2000]),
    (pa.array([86_399_999_999, None], pa.time64("us")), pa.int64(), [86_399_999_999, None]),
    (pa.array([1999], pa.time64("ns")), pa.int64(), [1]),
    (pa.array([1, None], pa.duration("s")), pa.int64(), [1_000_000, None]),
    (pa.array([-1999], pa.duration("ns")), pa.int64(), [-1]),
    (pa.array(["a", None, "a"]).dictionary_encode(), pa.string(), ["a", None, "a"]),
    (pa.array(["a"], pa.large_string()), pa.string(), ["a"]),
    (pa.array(["a", None], pa.string_view()), pa.string(), ["a", None]),
    (pa.array([b"ab"], pa.binary(2)), pa.binary(), [b"ab"]),
    (pa.nulls(2), pa.string(), [None, None]),
    (pa.array([[1, None], None], pa.list_(pa.uint8())), pa.list_(pa.int16()), [[1, None], None]),
    (
        pa.array([{"a": 1}], pa.struct([("a", pa.uint32())])),
        pa.struct([("a", pa.int64())]),
        [{"a": 1}],
    ),
]


@pytest.mark.parametrize(("given", "kind", "values"), STORED, ids=lambda one: str(one)[:20])
def test_values_keep_their_meaning(given: Any, kind: pa.DataType, values: list[Any]) -> None:
    found = stored_column(given)
    assert (found.type, found.to_pylist()) == (kind, values)
    assert stored_type(found.type) == found.type
    # The library takes the type.
    Schema.from_arrow(pa.schema([pa.field("x", found.type)]))


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris"])
@pytest.mark.parametrize(("unit", "scale"), [("s", 10**6), ("ms", 1000), ("us", 1)])
def test_moments_are_microseconds_in_utc(unit: str, scale: int, zone: str | None) -> None:
    found = stored_column(pa.array([1_772_409_600, -1, None], pa.timestamp(unit, zone)))
    assert found.type == pa.timestamp("us", "UTC")
    assert found.view(pa.int64()).to_pylist() == [1_772_409_600 * scale, -scale, None]


def test_nanoseconds_are_cut_to_the_microsecond_before() -> None:
    found = stored_column(pa.array([1999, -1], pa.timestamp("ns", "UTC")))
    assert found.view(pa.int64()).to_pylist() == [1, -1]


@pytest.mark.parametrize("kind", [pa.month_day_nano_interval(), pa.decimal256(60, 2)])
def test_a_type_without_a_place_is_refused(kind: pa.DataType) -> None:
    with pytest.raises(ValueError, match="a Delta table has no type for"):
        stored_type(kind)
    with pytest.raises(ValueError, match="a Delta table has no type for"):
        stored_type(pa.list_(kind))


def test_every_stored_type_is_read_back_by_two_readers(tmp_path: Path) -> None:
    columns = {f"c{at}": given[:1] for at, (given, _, _) in enumerate(STORED)}
    batch = stored_batch(pa.RecordBatch.from_pydict(columns))
    place = str(tmp_path / "d")
    create_table(place, batch.schema, [], {})
    file = write_data_file(place, data_path(0, "x"), pa.Table.from_batches([batch]))
    commit(place, lambda _: Change("WRITE", [file]))
    assert table_of(tmp_path, "d").files()[0].rows == 1
    expected = batch.to_pylist()
    assert DeltaTable(place).to_pyarrow_dataset().to_table().to_pylist() == expected
    assert pl.scan_delta(place).collect().to_dicts() == expected


def test_new_columns_are_those_that_the_table_lacks() -> None:
    known = pa.schema([("a", pa.string()), ("l", pa.list_(pa.field("element", pa.int16())))])
    given = pa.schema([("l", pa.list_(pa.int16())), ("b", pa.int64())])
    assert new_columns(known, given, "d") == [pa.field("b", pa.int64())]
    with pytest.raises(ValueError, match="'a' is string in the dataset 'd', and int64 in these"):
        new_columns(known, pa.schema([("a", pa.int64())]), "d")
