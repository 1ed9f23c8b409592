"""Bounds in the log never leave out a file that has a row of the query."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.table.commit import Change, commit
from tocsin.table.data_file import data_path, write_data_file
from tocsin.table.statistics import LONGEST, statistics_of
from tocsin.table.table import create_table

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.lists(st.none() | TEXTS, max_size=6))
@example(["x" * 300, "x" * LONGEST])
@example(["x" * LONGEST + "\U0010ffff\U0010ffff"])
def test_text_bounds_hold_all_texts_and_are_short(texts: list[str | None]) -> None:
    found = statistics_of(pa.table({"a": pa.array(texts, pa.string())}))
    known = [text for text in texts if text is not None]
    assert found["nullCount"]["a"] == len(texts) - len(known)
    assert found["numRecords"] == len(texts)
    assert ("a" in found["minValues"]) == ("a" in found["maxValues"]) == bool(known)
    for text in known:
        assert found["minValues"]["a"].encode() <= text.encode()
        assert text.encode() <= found["maxValues"]["a"].encode()


def test_text_bounds_are_short_unless_nothing_short_is_right() -> None:
    for text, most in (("x" * 300, LONGEST + 1), ("\U0010ffff" * 300, 300)):
        found = statistics_of(pa.table({"a": [text]}))
        assert len(found["minValues"]["a"]) == LONGEST
        assert len(found["maxValues"]["a"]) == most


@given(st.lists(st.none() | st.floats(), max_size=5))
@example([math.nan])
@example([-math.inf, math.nan])
def test_bounds_of_fractions_hold_all_of_them(numbers: list[float | None]) -> None:
    found = statistics_of(pa.table({"a": pa.array(numbers, pa.float64())}))
    json.loads(json.dumps(found, allow_nan=False))
    known = [one for one in numbers if one is not None]
    if any(math.isnan(one) for one in known):
        known = [-math.inf, math.inf]
    assert bool(found["minValues"]) == bool(found["maxValues"]) == bool(known)
    for name, bound in (("minValues", min), ("maxValues", max)):
        assert [float(one) for one in found[name].values()] == ([bound(known)] if known else [])


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_772_409_600_123_456, "2026-03-02T00:00:00.123456Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        (253_402_300_800_000_000, "9999-12-31T23:59:59.999999Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
        (-62_135_596_800_000_001, "0001-01-01T00:00:00.000000Z"),
        (2**61, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_moments_are_texts_within_the_calendar(micros: int, text: str) -> None:
    column = pa.array([micros], pa.int64()).view(pa.timestamp("us", "UTC"))
    found = statistics_of(pa.table({"a": column}))
    assert (found["minValues"].get("a"), found["maxValues"].get("a")) == (text, text)


def test_days_and_other_types() -> None:
    found = statistics_of(
        pa.table(
            {
                "day": pa.array([0, -719_162], pa.int32()).view(pa.date32()),
                "late": pa.array([0, 10**8], pa.int32()).view(pa.date32()),
                "truth": [True, None],
                "bytes": [b"a", b"b"],
                "list": [[1], None],
                "none": pa.nulls(2, pa.string()),
            }
        )
    )
    assert found == {
        "numRecords": 2,
        "minValues": {"day": "0001-01-01", "late": "1970-01-01", "truth": True},
        "maxValues": {"day": "1970-01-01", "late": "9999-12-31", "truth": True},
        "nullCount": {"day": 0, "late": 0, "truth": 1, "bytes": 0, "none": 2},
    }


COLUMNS: list[tuple[Any, list[Any]]] = [
    (pa.string(), ["", "a", "ab" * 30, "\U0010ffff" * 40, "日" * 50]),
    (pa.int64(), [-(2**63), -1, 0, 2**63 - 1]),
    (pa.float64(), [-math.inf, -1e308, -0.0, 1.5, 1e308, math.inf]),
    (pa.float32(), [-1.5, 0.1, math.inf]),
    (pa.bool_(), [True, False]),
    (pa.binary(), [b"", b"a"]),
    (pa.decimal128(20, 0), [Decimal(0), Decimal(2**64 - 1)]),
    (pa.decimal128(38, 3), [Decimal("-0.125"), Decimal("0.001"), Decimal(10**34)]),
    (pa.timestamp("us", "UTC"), [-(2**40), 0, 1_772_409_600_123_456]),
    (pa.date32(), [-719_162, 0, 2_932_896]),
]


def test_a_reader_finds_what_is_no_number(tmp_path: Path) -> None:
    place = str(tmp_path / "d")
    create_table(place, pa.schema([("a", pa.float64())]), [], {})
    for numbers in ([1.0], [math.nan], [2.0, math.nan, None]):
        file = write_data_file(place, data_path(0, "x"), pa.table({"a": numbers}))
        commit(place, lambda _, file=file: Change("WRITE", [file]))  # type: ignore[misc]
    data = DeltaTable(place).to_pyarrow_dataset()
    assert data.to_table(filter=pc.is_nan(pc.field("a"))).num_rows == 2
    assert data.to_table(filter=pc.field("a") > 1).num_rows == 1
    assert pl.scan_delta(place).filter(pl.col("a").is_nan()).collect().height == 2


@pytest.mark.parametrize("struct", [{"x": 1}, [1], None])
def test_a_nested_column_hides_no_row(struct: Any, tmp_path: Path) -> None:
    place = str(tmp_path / "d")
    kinds = {list: pa.list_(pa.int64())}
    kind = kinds.get(type(struct), pa.struct([("x", pa.int64())]))
    schema = pa.schema([("a", kind), ("n", pa.int64())])
    create_table(place, schema, [], {})
    for number in range(3):
        rows = pa.table({"a": [struct], "n": [number]}, schema=schema)
        file = write_data_file(place, data_path(0, "x"), rows)
        commit(place, lambda _, file=file: Change("WRITE", [file]))  # type: ignore[misc]
    data = DeltaTable(place).to_pyarrow_dataset()
    assert data.to_table(filter=pc.field("n") == 1).num_rows == 1


@pytest.mark.parametrize(("kind", "values"), COLUMNS, ids=[str(kind) for kind, _ in COLUMNS])
def test_readers_find_every_row_by_its_value(kind: Any, values: list[Any], tmp_path: Path) -> None:
    place = str(tmp_path / "d")
    column = pa.array([*values, None], kind)
    create_table(place, pa.schema([("a", kind)]), [], {})
    for at in np.random.default_rng(18).permutation(len(column)).tolist():
        file = write_data_file(place, data_path(0, "x"), pa.table({"a": column[at : at + 1]}))
        commit(place, lambda _, file=file: Change("WRITE", [file]))  # type: ignore[misc]
    data = DeltaTable(place).to_pyarrow_dataset()
    for value in column.to_pylist()[:-1]:
        assert data.to_table(filter=pc.field("a") == value).num_rows == 1, value
        assert pl.scan_delta(place).filter(pl.col("a") == value).collect().height == 1, value
    assert data.to_table(filter=pc.is_null(pc.field("a"))).num_rows == 1
    assert pl.scan_delta(place).filter(pl.col("a").is_null()).collect().height == 1
