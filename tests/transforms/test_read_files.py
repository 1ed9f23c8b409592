"""Files of any bytes give rows or rejects with row or line number and reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.kernels.avro.fuzz import MILLIS, record
from tocsin.foundation.failure import Failure
from tocsin.parts.source import Fetched
from transforms.read.read_files import ReadFiles

SCHEMA = record("R", ("id", "string"), ("at", MILLIS), ("v", ["null", "double"], None))


def fetched(folder: Path, name: str, with_schema: bool = True, rows: int = 2) -> list[Fetched]:
    (folder / "r.avsc").write_text(json.dumps(SCHEMA))
    more: dict[str, Any] = {"schema": str(folder / "r.avsc")} if with_schema else {}
    source = ReadFiles.model_validate(
        {"files": str(folder / name), "event_time": "at", "batch_rows": rows, **more}
    )
    return [
        piece
        for split in source.splits(live=False)
        for piece in source.read(split, 0)
        if piece is not None
    ]


def summary(pieces: list[Fetched]) -> tuple[list[Any], list[tuple[int, str]]]:
    ids = [one for piece in pieces for one in piece.batch.column("id").to_pylist()]
    rejects = [(r["offset"], r["message"]) for piece in pieces for r in piece.rejected]
    return ids, rejects


def test_a_line_that_is_no_reading_is_rejected_with_its_number(tmp_path: Path) -> None:
    lines = [
        b'{"id": "a", "at": "2026-03-02T10:00:00Z", "v": 1}',
        b'{"id": null, "at": "2026-03-02T10:00:10Z", "v": 2}',
        b"\xff\x00",
        b'{"id": "b", "at": 1772445600000, "v": 9007199254740993}',
    ]
    (tmp_path / "x.jsonl").write_bytes(b"\n".join(lines))
    pieces = fetched(tmp_path, "x.jsonl")
    ids, rejects = summary(pieces)
    assert ids == ["a", "b"]
    assert [at for at, _ in rejects] == [1, 2]
    assert rejects[0][1] == "not a JSON reading: 'id': it is null, and the schema needs a value"
    assert [r["value"] for p in pieces for r in p.rejected] == lines[1:3]


def test_a_record_that_the_schema_cannot_read_is_rejected_with_its_number(tmp_path: Path) -> None:
    wide = record("R", ("id", ["null", "string"]), ("at", "long"), ("v", "long"))
    times = [1772445600000, 1772445600000, 1772445600000000000, 1772445600000]
    rows = [
        {"id": None if at == 1 else str(at), "at": when, "v": 1} for at, when in enumerate(times)
    ]
    with (tmp_path / "x.avro").open("wb") as stream:
        fastavro.writer(stream, fastavro.parse_schema(wide), rows)
    ids, rejects = summary(fetched(tmp_path, "x.avro"))
    assert ids == ["0", "3"]
    assert [at for at, _ in rejects] == [1, 2]
    assert "is it in another unit?" in rejects[1][1]


def test_a_text_of_a_parquet_file_that_is_not_utf_8_is_rejected(tmp_path: Path) -> None:
    raw = pa.array([b"a", b"\xff", b"c"], pa.binary()).view(pa.string())
    at = pa.array([0, 1, 2], pa.timestamp("us", tz="UTC"))
    parquet.write_table(pa.table({"id": raw, "at": at}), tmp_path / "x.parquet")
    ids, rejects = summary(fetched(tmp_path, "x.parquet", with_schema=False))
    assert ids == ["a", "c"]
    assert [at for at, _ in rejects] == [1]


def test_a_truncated_parquet_file_is_a_sentence_with_its_name(tmp_path: Path) -> None:
    at = pa.array([0], pa.timestamp("us", tz="UTC"))
    parquet.write_table(pa.table({"id": ["a"], "at": at}), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-9])
    with pytest.raises(Failure, match=r"cannot read .*b\.parquet"):
        fetched(tmp_path, "*.parquet", with_schema=False)
