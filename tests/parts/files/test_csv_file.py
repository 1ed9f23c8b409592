"""CSV files give rows, or rejects with line and column, wherever blocks are cut."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernels.avro.fuzz import MILLIS, record
from tocsin.foundation.faults import Fault
from tocsin.kernels.avro.types import leaves, parse_schema
from tocsin.parts.files import byte_blocks
from tocsin.parts.files.byte_blocks import count_of_lines
from tocsin.parts.files.csv_file import csv_file, header_for

SCHEMA = record(
    "R", ("id", "string"), ("at", MILLIS), ("v", ["null", "double"], None), ("n", "int", 7)
)
HEADER = "with the delimiter ',' (columns: id, at, v, note)"
LEAVES = leaves(parse_schema(json.dumps(SCHEMA)))


def read(path: Path, delimiter: str | None = None, rows: int = 3) -> tuple[list[Any], list[Any]]:
    header = header_for(str(path), LEAVES, delimiter, "at")
    found, rejected, line = [], [], header.lines
    for piece in csv_file(str(path), header, LEAVES, rows):
        found += [
            (line + int(at), row["id"], row["v"], row["n"])
            for at, row in zip(piece.decoded.rows, piece.decoded.batch.to_pylist(), strict=True)
        ]
        rejected += [(line + at, why, (piece.values or {})[at]) for at, why in piece.decoded.faults]
        line += piece.count
    assert line == count_of_lines(str(path))
    return found, rejected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    ids=st.lists(st.text(alphabet='a0",;\n', min_size=1, max_size=4), max_size=8),
    block=st.integers(1, 40),
    rows=st.integers(1, 4),
)
def test_rows_do_not_depend_on_blocks_and_batches(
    ids: list[str], block: int, rows: int, tmp_path: Path
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";")
    writer.writerows([["at", "id", "v"], *(["2026-03-02T10:00:00Z", one, "1.5"] for one in ids)])
    path = tmp_path / "x.csv"
    path.write_bytes(out.getvalue().encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_blocks.blocks, "__defaults__", (block,))
        found, rejected = read(path, rows=rows)
    assert [row[1:] for row in found] == [(one, 1.5, 7) for one in ids]
    assert rejected == []


def test_a_record_that_cannot_be_read_is_a_reject_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(
        b"\xef\xbb\xbfid,at,v,note\n"
        b'007,2026-03-02T10:00:00Z,1.5,"two\nlines"\n'
        b'a,2026-03-02,1,\n"b,1772445600000,1,\nc,1772445600000,x,\n'
        b"d,1772445600000,1\n\xff,1772445600000,1,\ne,1772445600000,,"
    )
    found, rejected = read(path)
    assert found == [(1, "007", 1.5, 7), (8, "e", None, 7)]
    assert [(at, why) for at, why, _ in rejected] == [
        (3, "line 4: column 'at': '2026-03-02' has no time zone"),
        (4, "line 5: a quote is opened and not closed"),
        (5, "line 6: column 'v': 'x' is not a number"),
        (6, f"line 7: it has 3 cells, and the header has 4 {HEADER}"),
        (7, "line 8: column 'id': it is not UTF-8"),
    ]
    assert rejected[2][2] == b"c,1772445600000,x,"


def test_a_compressed_file_is_read_up_to_its_damage(tmp_path: Path) -> None:
    whole = gzip.compress(b"id,at\n" + b"a,1772445600000\n" * 3, 0)
    (tmp_path / "x.csv.gz").write_bytes(whole)
    assert len(read(tmp_path / "x.csv.gz")[0]) == 3
    (tmp_path / "x.csv.gz").write_bytes(whole[:-8])
    found, rejected = read(tmp_path / "x.csv.gz")
    assert len(found) == 3
    assert "the rest of the file is not readable" in rejected[0][1]


def test_a_record_without_end_is_a_reject(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tocsin.parts.files.csv_file.LONGEST", 30)
    monkeypatch.setattr(byte_blocks.blocks, "__defaults__", (8,))
    (tmp_path / "x.csv").write_bytes(
        b'id,at\n"a,1772445600000\n' + b"b,1772445600000\n" * 5 + b'c",1\n'
    )
    found, rejected = read(tmp_path / "x.csv")
    assert [at for at, *_ in found] == [2, 3, 4, 5, 6, 7]
    assert [at for at, *_ in rejected] == [1]


@pytest.mark.parametrize(
    ("head", "delimiter", "sentence"),
    [
        (
            b"id;at;v\n",
            ",",
            "x.csv:1: no column 'id' with the delimiter ',' (columns: id;at;v); did you mean ';'?",
        ),
        (b"name;at\n", None, "x.csv:1: no column 'id' with the delimiter ';' (columns: name, at)"),
        (b"id,v\n", None, "no column 'at'"),
        (b"id,at,at\n", None, "x.csv:1: the column 'at' is there twice"),
        (b"", None, "x.csv:1: the file has no header"),
        ("id,at\n".encode("utf-16"), None, "x.csv:1: the file is in UTF-16; write it in UTF-8"),
        (b'"id,at\n', None, "x.csv:1: the header: a quote is opened and not closed"),
    ],
)
def test_a_header_without_the_columns_is_a_mistake(
    head: bytes, delimiter: str | None, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_bytes(head)
    with pytest.raises(Fault) as wrong:
        header_for(str(tmp_path / "x.csv"), LEAVES, delimiter, "at")
    assert sentence in str(wrong.value)


def test_columns_are_found_by_path_and_alias(tmp_path: Path) -> None:
    place = record("P", ("lat", "double"), ("lon", "double"))
    schema = record("R", ("at", MILLIS), ("place", place))
    schema["fields"][0]["aliases"] = ["time"]
    found = leaves(parse_schema(json.dumps(schema)))
    (tmp_path / "x.csv").write_text("time|place.lat|place_lon\n1772445600000|1.5|2.5\n")
    header = header_for(str(tmp_path / "x.csv"), found, None, "at")
    piece = next(iter(csv_file(str(tmp_path / "x.csv"), header, found, 9)))
    row = piece.decoded.batch.to_pylist()[0]
    assert (row["place_lat"], row["place_lon"]) == (1.5, 2.5)
