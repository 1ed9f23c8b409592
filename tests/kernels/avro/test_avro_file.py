"""Container files: any damage gives rows or faults, never an exception."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import fastavro
import pytest

from tests.kernels.avro.fuzz import MILLIS, array, record
from tocsin.kernels.avro.avro_file import raw_avro_file

SCHEMA = record("R", ("id", "string"), ("v", ["null", "double"]), ("ts", array(MILLIS)))
ROWS: list[dict[str, Any]] = [
    {"id": f"s{n}", "v": n / 2, "ts": [1772445600000 + n]} for n in range(60)
]


def written(path: Path, codec: str = "null", rows: list[dict[str, Any]] = ROWS) -> bytes:
    plain = record("R", ("id", "string"), ("v", ["null", "double"]), ("ts", array("long")))
    with path.open("wb") as stream:
        fastavro.writer(
            stream,
            fastavro.parse_schema(plain),
            rows,
            codec,
            sync_interval=200,
            sync_marker=b"s" * 16,
        )
    return path.read_bytes()


def read(path: Path, rows: int = 7) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """All rows and faults; asserts that each record is one of them."""
    found: list[dict[str, Any]] = []
    faults: list[tuple[int, str]] = []
    first = 0
    for piece in raw_avro_file(str(path), json.dumps(SCHEMA), rows):
        positions = [*piece.decoded.rows.tolist(), *(at for at, _ in piece.decoded.faults)]
        assert sorted(positions) == list(range(piece.count))
        assert len(piece.values) == piece.count
        piece.decoded.batch.validate(full=True)
        found += piece.decoded.batch.to_pylist()
        faults += [(first + at, why) for at, why in piece.decoded.faults]
        first += piece.count
    return found, faults


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz", "snappy", "zstandard", "lz4"])
def test_every_codec_is_read(tmp_path: Path, codec: str) -> None:
    written(tmp_path / "x.avro", codec)
    rows, faults = read(tmp_path / "x.avro")
    assert [row["id"] for row in rows] == [row["id"] for row in ROWS]
    assert faults == []


def test_a_damaged_file_gives_rows_or_faults(tmp_path: Path) -> None:
    rand = random.Random(5)
    path = tmp_path / "x.avro"
    files = {codec: written(path, codec) for codec in ("null", "deflate")}
    seen = 0
    for round_ in range(300):
        data = bytearray(files["null" if round_ % 3 else "deflate"])
        if round_ % 4 == 0:
            data = data[: rand.randrange(len(data))]
        else:
            data[rand.randrange(len(data))] ^= 1 << rand.randrange(8)
        path.write_bytes(data)
        rows, faults = read(path)
        seen += bool(rows and faults)
    assert seen > 20


def test_the_rest_of_a_truncated_file_is_one_fault(tmp_path: Path) -> None:
    path = tmp_path / "x.avro"
    path.write_bytes(written(path)[:-30])
    rows, faults = read(path)
    ((at, reason),) = faults
    assert at == len(rows)
    assert reason.startswith("the rest of the file is not readable: ")


def test_what_follows_a_faulty_record_in_its_block_is_faulty(tmp_path: Path) -> None:
    path = tmp_path / "x.avro"
    data = written(path)
    path.write_bytes(data.replace(b"\x06s30".replace(b"\x06", b"\x06"), b"\xffs30"))
    rows, faults = read(path)
    assert "s30" not in [row["id"] for row in rows]
    assert rows[-1]["id"] == "s59"
    assert "it follows a record in its block" in faults[1][1]


@pytest.mark.parametrize("data", [b"", b"Obj\x01", b"no Avro at all", b"Obj\x01" + b"\xff" * 50])
def test_a_file_of_something_else_is_one_fault(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.avro"
    path.write_bytes(data)
    rows, faults = read(path)
    assert rows == []
    assert len(faults) == 1
