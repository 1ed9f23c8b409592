"""Cells have the value of their type, in any company, or a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.avro.fuzz import record
from tocsin.kernels.avro.types import leaves, parse_schema
from tocsin.kernels.csv.values import column_of

MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
DATE = {"type": "int", "logicalType": "date"}
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}
COLOURS = {"type": "enum", "name": "E", "symbols": ["red", "blue"], "default": "blue"}
KINDS = ["string", "int", "long", "float", "double", "boolean", MILLIS, DATE, MONEY, COLOURS]
texts = st.one_of(
    st.text(max_size=4),
    st.sampled_from(["1_0", "0x1f", "+5", "1e400", "nan", "3.0", "3.7", "٣", "1,5", "-0", "007"]),
    st.sampled_from(["2026-03-02T10:00:00Z", "2026-03-02", "true", "FALSE", "red", "1.005"]),
    st.integers(-(2**65), 2**65).map(str),
    st.floats(width=32).map(str),
)


def read(cells: list[str], kind: Any, optional: bool = True) -> tuple[list[Any], dict[int, str]]:
    schema = record("R", ("x", ["null", kind] if optional else kind))
    leaf = leaves(parse_schema(schema))[0]
    column, faults = column_of(pa.array(cells, pa.string()), np.zeros(len(cells), bool), leaf)
    assert column.type == leaf.type
    return [repr(value) for value in column.to_pylist()], dict(faults)


@given(st.lists(texts, min_size=1, max_size=5), st.sampled_from(KINDS), st.booleans())
def test_a_cell_means_the_same_in_any_company(cells: Any, kind: Any, optional: bool) -> None:
    values, faults = read(cells, kind, optional)
    for at, cell in enumerate(cells):
        alone, reason = read([cell], kind, optional)
        assert faults.get(at) == reason.get(0)
        if at not in faults:
            assert alone == [values[at]]


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        ("007", "string", "007"),
        ("3.0", "int", 3),
        ("+5", "long", 5),
        ("1e3", "double", 1000.0),
        ("TRUE", "boolean", True),
        ("1.5", MONEY, "Decimal('1.50')"),
        ("green", COLOURS, "blue"),
        ("", "double", None),
        ("", "string", None),
    ],
)
def test_a_cell_has_the_value_of_its_type(cell: str, kind: Any, value: Any) -> None:
    wanted = value if str(value).startswith("Decimal") else repr(value)
    assert read([cell], kind) == ([wanted], {})


@pytest.mark.parametrize(
    ("cell", "kind", "reason"),
    [
        ("3.7", "int", "3.7 is not an integer"),
        ("3,7", "double", "'3,7' is not a number; its decimal sign is a comma, write a point"),
        ("1_0", "long", "'1_0' is not a number"),
        ("9" * 20, "long", f"{'9' * 20} does not fit an integer of 64 bits"),
        ("yes", "boolean", "'yes' is neither true nor false"),
        ("2026-03-02T10:00", MILLIS, "'2026-03-02T10:00' has no time zone"),
        ("", "double", "it is empty, and the schema needs a value"),
    ],
)
def test_a_cell_without_a_value_has_a_reason(cell: str, kind: Any, reason: str) -> None:
    assert read([cell], kind, optional=False)[1] == {0: reason}


def test_a_quoted_empty_cell_is_an_empty_text() -> None:
    leaf = leaves(parse_schema(record("R", ("x", ["null", "string"]))))[0]
    column, _ = column_of(pa.array(["", ""]), np.array([True, False]), leaf)
    assert column.to_pylist() == ["", None]
