"""Tables have the types of what they join, and errors name file, line, delimiter and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tocsin.foundation.faults import Fault
from tocsin.parts.tables import checked_table, place_of_row, read_table

TEXT = (("id", pa.string()),)


def write(folder: Path, text: str | bytes, name: str = "t.csv") -> str:
    raw = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(raw)
    return str(folder / name)


def test_digits_are_text_where_what_they_join_is_text(tmp_path: Path) -> None:
    path = write(
        tmp_path, "id,zip,n,share,day\n007,010,1,0.5,2026-03-02\n42,020,2,1.5,2026-03-03\n"
    )
    table = read_table(path, TEXT)
    assert table.column("id").to_pylist() == ["007", "42"]
    assert table.column("zip").to_pylist() == ["010", "020"]
    kinds = [str(table.schema.field(name).type) for name in ("n", "share", "day")]
    assert kinds == ["int64", "double", "date32[day]"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_the_delimiter_is_found(delimiter: str, tmp_path: Path) -> None:
    path = write(tmp_path, '"x,y"@id\n"1;\n2"@007\n'.replace("@", delimiter))
    table = read_table(path, TEXT)
    assert table.to_pylist() == [{"x,y": "1;\n2", "id": "007"}]
    assert place_of_row(path, 0) == f"{path}:2"


def test_a_parquet_key_has_the_type_of_what_it_joins(tmp_path: Path) -> None:
    table = pa.table({"id": pa.array(["7"]).dictionary_encode(), "n": pa.array([1], pa.int32())})
    parquet.write_table(table, tmp_path / "t.parquet")
    read = read_table(str(tmp_path / "t.parquet"), (("id", pa.int64()),))
    assert read.to_pylist() == [{"id": 7, "n": 1}]
    assert read.schema.types == [pa.int64(), pa.int32()]


@pytest.mark.parametrize(
    ("text", "types", "sentence"),
    [
        (
            "id,n\n1,2\ngw-1,3\n",
            (("id", pa.int64()),),
            "t.csv:3: column 'id': 'gw-1' is not a number, and its inputs have int64",
        ),
        (
            "id;n\n1;2\n1\n",
            TEXT,
            "t.csv:3: it has 1 cells, and the header has 2 with the delimiter ';' (columns: id, n)",
        ),
        ('id,n\n"1,2\n', TEXT, "t.csv:2: a quote is opened and not closed"),
        (b"id,n\na,\xff\n", TEXT, "t.csv:2: column 'n': it is not UTF-8"),
        ("id,id\na,b\n", TEXT, "t.csv:1: the column 'id' is there twice"),
        ("", TEXT, "t.csv:1: the file has no header"),
        ("sensor;n\na;1\n", TEXT, "no column 'id' in the table with the delimiter ';'"),
    ],
)
def test_a_mistake_names_its_place(
    text: str | bytes, types: Any, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(Fault) as wrong:
        checked_table(write(tmp_path, text), ["id"], "table", types=types)
    assert sentence in str(wrong.value)


def test_a_parquet_table_that_is_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"cannot read the table: .*t\.parquet"):
        checked_table(write(tmp_path, "PAR1", "t.parquet"), [], "table")
