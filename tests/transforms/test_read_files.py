"""Files of any bytes give rows or rejects with row or line number and reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.kernels.avro.fuzz import MILLIS, record
from tocsin.foundation.failure import Failure
from tocsin.foundation.faults import Fault
from tocsin.kernels.time.event_times import event_micros
from tocsin.parts.source import Fetched
from transforms.read.read_files import ReadFiles

SCHEMA = record("R", ("id", "string"), ("at", MILLIS), ("v", ["null", "double"], None))


def source_of(
    folder: Path, name: str, with_schema: bool = True, rows: int = 2, **more: Any
) -> ReadFiles:
    schema = more.pop("avsc", SCHEMA)
    (folder / "r.avsc").write_text(json.dumps(schema))
    if with_schema:
        more["schema"] = str(folder / "r.avsc")
    return ReadFiles.model_validate(
        {"files": str(folder / name), "event_time": "at", "batch_rows": rows, **more}
    )


def fetched(folder: Path, name: str, with_schema: bool = True, rows: int = 2) -> list[Fetched]:
    source = source_of(folder, name, with_schema, rows)
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
    source = ReadFiles(files=str(tmp_path / "*.parquet"), event_time="at")
    with pytest.raises(Fault, match=r"cannot read .*b\.parquet"):
        source.fields()


def test_a_file_that_is_damaged_after_the_check_is_a_failure_with_its_name(tmp_path: Path) -> None:
    at = pa.array([0], pa.timestamp("us", tz="UTC"))
    parquet.write_table(pa.table({"id": ["a"], "at": at}), tmp_path / "a.parquet")
    source = ReadFiles(files=str(tmp_path / "*.parquet"), event_time="at")
    (split,) = source.splits(live=False)
    source.fields()
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(Failure, match=r"cannot read .*a\.parquet"):
        list(source.read(split, 0))


def test_a_csv_record_that_is_no_reading_is_rejected_with_its_line(tmp_path: Path) -> None:
    text = "id;at;v\n007;2026-03-02T10:00:00Z;1\nb;soon;2\n'c';1772445600000;\n"
    (tmp_path / "x.csv").write_text(text)
    ids, rejects = summary(fetched(tmp_path, "x.csv"))
    assert ids == ["007", "'c'"]
    assert rejects == [(2, "line 3: column 'at': 'soon' is no ISO 8601 text of a time")]


def test_the_rest_of_a_csv_file_is_read_from_a_position(tmp_path: Path) -> None:
    lines = ["id,at,v", *(f'{n},{1772445600000 + n},"{n}"' for n in range(7))]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    whole = fetched(tmp_path, "x.csv")
    for start in range(9):
        source = source_of(tmp_path, "x.csv")
        (split,) = source.splits(live=False)
        offsets = [at for f in source.read(split, start) if f for at in f.offsets.tolist()]
        assert offsets == [at for f in whole for at in f.offsets.tolist() if at >= start]


PER_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
SECOND = 1772445600


@pytest.mark.parametrize("name", ["x.avro", "x.jsonl", "x.jsonl.gz", "x.csv", "x.csv.gz"])
@pytest.mark.parametrize("unit", [*PER_SECOND, "text", "timestamp"])
def test_event_times_are_read_in_every_form(name: str, unit: str, tmp_path: Path) -> None:
    kind: Any = {"text": "string", "timestamp": MILLIS}.get(unit, "long")
    value: Any = {"text": "2026-03-02T12:00:00+02:00", "timestamp": SECOND * 1000}.get(
        unit, SECOND * PER_SECOND.get(unit, 1)
    )
    schema = record("R", ("at", kind))
    if name == "x.avro":
        with (tmp_path / name).open("wb") as stream:
            fastavro.writer(stream, fastavro.parse_schema(schema), [{"at": value}])
    else:
        text = f"at\n{value}\n" if ".csv" in name else json.dumps({"at": value})
        raw = text.encode()
        (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    more = {"time_unit": unit} if unit in PER_SECOND else {}
    source = source_of(tmp_path, name, avsc=schema, **more)
    source.schema_of_rows()
    (split,) = source.splits(live=False)
    (found,) = (f for f in source.read(split, 0) if f is not None and f.batch.num_rows)
    assert event_micros(found.batch.column("at"), source.time_unit).tolist() == [SECOND * 10**6]


@pytest.mark.parametrize("unit", PER_SECOND)
def test_a_parquet_column_of_plain_numbers_asks_for_its_unit(unit: str, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"at": [SECOND * PER_SECOND[unit]]}), tmp_path / "x.parquet")
    source = source_of(tmp_path, "x.parquet", with_schema=False)
    with pytest.raises(Fault, match=f"'at' is int64, and .*; add `time_unit: {unit}`"):
        source.schema_of_rows()
    known = source_of(tmp_path, "x.parquet", with_schema=False, time_unit=unit)
    (split,) = known.splits(live=False)
    (found,) = (f for f in known.read(split, 0) if f is not None)
    assert event_micros(found.batch.column("at"), unit).tolist() == [SECOND * 10**6]


def test_numbers_of_an_avro_schema_ask_for_their_unit(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"")
    source = source_of(tmp_path, "x.jsonl", avsc=record("R", ("at", "long")))
    with pytest.raises(Fault, match="add `time_unit`: seconds, milliseconds, microseconds or nano"):
        source.schema_of_rows()


@pytest.mark.parametrize(
    ("kind", "unit", "least"),
    [
        (pa.timestamp("ms", tz="UTC"), None, 1_800_000_000_000_000),
        (pa.timestamp("ns"), None, 1_800_000_000_000_000),
        (pa.int64(), "milliseconds", 1_800_000_000_000_000),
        (pa.string(), "milliseconds", None),
        (pa.float64(), "milliseconds", None),
    ],
)
def test_the_footer_of_a_parquet_file_says_its_first_event_time(
    kind: Any, unit: str | None, least: int | None, tmp_path: Path
) -> None:
    moments = pa.array([1_800_000_005_000, 1_800_000_000_000, None, 1_800_000_009_000], pa.int64())
    if pa.types.is_timestamp(kind):
        times = moments.cast(pa.timestamp("ms", tz=kind.tz)).cast(kind)
    else:
        times = moments.cast(kind)
    table = pa.table({"other": [1, 2, 3, 4], "at": times})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    source = ReadFiles(files=str(tmp_path / "a.parquet"), event_time="at", time_unit=unit)
    (split,) = source.splits(live=False)
    assert source.earliest(split) == least
    # Without statistics nobody knows, and a null is no time.
    parquet.write_table(table, tmp_path / "a.parquet", write_statistics=False)
    assert source.earliest(split) is None
