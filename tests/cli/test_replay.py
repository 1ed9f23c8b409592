"""A replay sends each row of a recording once, in order and with its time, from every form."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tocsin.cli import recording_files
from tocsin.cli.recording_files import RecordingFile
from tocsin.cli.replay_order import TimeOrder
from tocsin.foundation.failure import Mistake

T0 = 1_772_445_600_000
SCHEMA = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "sensor_id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "value", "type": ["null", "double"], "default": None},
    ],
}
# The first four times of `arrived` are out of order.
ROWS = [
    {
        "sensor_id": f"00{n % 3}",
        "at": T0 + n,
        "value": None if n == 4 else n / 2,
        "arrived": T0 + at,
    }
    for n, at in enumerate([3000, 1000, 2000, 1000, 5000, 6000, 7000])
]
ORDER = [1, 3, 2, 0, 4, 5, 6]


def iso(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")


def as_parquet(unit: str, zone: str | None = "UTC") -> Any:
    def write(path: Path) -> None:
        table = pa.Table.from_pylist(ROWS)
        for name in ("at", "arrived"):
            times = table[name].cast(pa.timestamp("ms", zone)).cast(pa.timestamp(unit, zone))
            table = table.set_column(table.schema.get_field_index(name), name, times)
        sensors = table["sensor_id"].dictionary_encode()
        parquet.write_table(table.set_column(0, "sensor_id", sensors), path, row_group_size=2)

    return write


def as_integers(path: Path) -> None:
    parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=2)


def as_csv(path: Path) -> None:
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(ROWS[0]))
        writer.writeheader()
        writer.writerows({**row, "arrived": iso(row["arrived"])} for row in ROWS)


def as_lines(path: Path) -> None:
    rows = [{**row, "at": iso(row["at"])} for row in ROWS]
    path.write_text("\n\n".join(json.dumps(row) for row in rows) + "\n")


FORMS = {
    "seconds": (".parquet", as_parquet("ms"), ()),
    "microseconds": (".parquet", as_parquet("us"), ()),
    "nanoseconds": (".parquet", as_parquet("ns"), ()),
    "without zone": (".parquet", as_parquet("us", None), ()),
    "integers": (".parquet", as_integers, ("--time-unit", "milliseconds")),
    "csv": (".csv", as_csv, ()),
    "JSON lines": (".jsonl", as_lines, ("--time-unit", "milliseconds")),
}


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    (tmp_path / "reading.avsc").write_text(json.dumps(SCHEMA))
    return tmp_path / "reading.avsc"


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_recording_gives_the_same_messages(
    form: str,
    kafka: Any,
    receive: Any,
    tocsin: Any,
    schema: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suffix, write, options = FORMS[form]
    write(tmp_path / f"recording{suffix}")
    monkeypatch.setattr(recording_files, "ROWS", 2)
    kafka.create("again")
    code, _, errors = tocsin(
        "replay",
        tmp_path / f"recording{suffix}",
        "--topic",
        "again",
        "--schema",
        schema,
        "--time-column",
        "arrived",
        *options,
    )
    assert code == 0, errors
    found = [
        (
            message.key(),
            message.timestamp()[1],
            fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), SCHEMA, None),
        )
        for message in receive("again")
    ]
    # The topic keeps the order of each key.
    assert sorted(found, key=lambda one: one[0]) == sorted(expected(), key=lambda one: one[0])


def expected() -> list[tuple[bytes, int, dict[str, Any]]]:
    return [
        (
            row["sensor_id"].encode(),
            row["arrived"],
            {
                "sensor_id": row["sensor_id"],
                "at": datetime.fromtimestamp(row["at"] / 1000, UTC),
                "value": row["value"],
            },
        )
        for row in (ROWS[at] for at in ORDER)
    ]


@given(
    times=st.lists(st.integers(0, 40), min_size=1, max_size=40),
    group=st.integers(1, 9),
    piece=st.integers(1, 9),
)
def test_rows_come_in_the_order_of_their_times_and_wait_no_longer_than_needed(
    times: list[int], group: int, piece: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("order") / "recording.parquet"
    rows = [{"sensor_id": "a", "at": T0, "value": float(n)} for n in range(len(times))]
    table = pa.Table.from_pylist(rows).append_column(
        "arrived", pa.array(times, pa.timestamp("s", "UTC"))
    )
    parquet.write_table(table, path, row_group_size=group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording_files, "ROWS", piece)
        order = TimeOrder(RecordingFile(path, json.dumps(SCHEMA), "arrived", None))
        batches = list(order.batches())
    found = [
        (at // 1_000_000, int(value))
        for batch, at_ in batches
        for at, value in zip(at_.tolist(), batch.column("value").to_pylist(), strict=True)
    ]
    assert found == sorted((at, n) for n, at in enumerate(times))
    assert order.rows == len(times)
    if times == sorted(times):
        assert max(batch.num_rows for batch, _ in batches) <= piece


MISTAKES = {
    "no such unit": (
        "r.csv",
        "sensor_id,at,arrived\na,1,2\n",
        ["--time-unit", "min"],
        "no unit 'min'",
    ),
    "no such format": ("r.xlsx", "", [], "its format is not known; a recording's name ends in"),
    "no time column": ("r.csv", "sensor_id,at,arrive\na,1,2\n", [], "did you mean 'arrive'?"),
    "no key": ("r.csv", "at,arrived\n1,2\n", ["--key", "lock_id"], "name one with --key"),
    "a required column": ("r.csv", "sensor_id,arrived\na,2\n", [], "no column 'at'"),
    "no unit": ("r.csv", "sensor_id,at,arrived\na,1,2\n", [], "an integer whose unit --time-unit"),
    "no number": (
        "r.csv",
        f"sensor_id,at,value,arrived\na,{T0},1,{iso(T0)}\nb,{T0},high,{iso(T0)}\n",
        [],
        "r.csv: line 3: 'value': ",
    ),
    "no JSON": (
        "r.jsonl",
        f'{{"sensor_id": "a", "at": {T0}, "arrived": "{iso(T0)}"}}\n\n{{"sensor_id"\n',
        [],
        "r.jsonl: line 3: ",
    ),
    "no JSON at all": ("r.jsonl", "sensor,at\n" * 9, [], "and 4 more; nothing was sent"),
    "no time": (
        "r.jsonl",
        f'{{"sensor_id": "a", "at": {T0}, "arrived": null}}',
        [],
        "r.jsonl: line 1: 'arrived': it is null",
    ),
    "before 1970": (
        "r.jsonl",
        f'{{"sensor_id": "a", "at": {T0}, "arrived": -1}}',
        ["--time-unit", "seconds"],
        "Kafka has no timestamps before 1970",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_nothing_is_sent(
    mistake: str, kafka: Any, receive: Any, tocsin: Any, schema: Path, tmp_path: Path
) -> None:
    name, text, options, sentence = MISTAKES[mistake]
    (tmp_path / name).write_text(text)
    kafka.create("again")
    given = ["--topic", "again", "--schema", schema, "--time-column", "arrived"]
    code, _, errors = tocsin("replay", tmp_path / name, *given, *options)
    assert (code, sentence in errors) == (2, True), errors
    assert errors.count("\n") == 1
    assert receive("again") == []


def test_a_file_that_is_no_parquet_is_named(tocsin: Any, schema: Path, tmp_path: Path) -> None:
    (tmp_path / "r.parquet").write_bytes(b"PAR1, but no more")
    code, _, errors = tocsin("replay", tmp_path / "r.parquet", "--topic", "t", "--schema", schema)
    assert (code, errors.count("\n")) == (1, 1)
    assert "cannot read" in errors


def test_a_null_that_the_schema_refuses_is_not_sent_as_zero(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "sensor_id": ["a", None],
            "at": pa.array([1, 2], pa.timestamp("ms", "UTC")),
            "value": [1.0, 2.0],
        }
    )
    parquet.write_table(rows, tmp_path / "r.parquet")
    order = TimeOrder(RecordingFile(tmp_path / "r.parquet", json.dumps(SCHEMA), "at", None))
    with pytest.raises(Mistake, match="row 2: 'sensor_id' is null, and the schema requires"):
        list(order.batches())


def test_times_in_1970_are_doubted(kafka: Any, tocsin: Any, schema: Path, tmp_path: Path) -> None:
    as_integers(tmp_path / "r.parquet")
    kafka.create("again")
    given = ["--topic", "again", "--schema", schema, "--time-column", "arrived"]
    code, _, errors = tocsin(
        "replay", tmp_path / "r.parquet", *given, "--time-unit", "microseconds"
    )
    assert code == 0
    assert "'arrived' begins at 1970-01-21 12:20:45Z; is its unit right?" in errors
