"""Avro decoding: all decoders agree with fastavro, and so does schema resolution."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any, Literal

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.avro.avro_file import raw_avro_file
from tocsin.kernels.avro.byte_strings import ByteStrings
from tocsin.kernels.avro.decode import Decoder, unnest
from tocsin.kernels.avro.program import Program
from tocsin.kernels.avro.records import Records
from tocsin.kernels.avro.types import arrow_fields, parse_schema
from tocsin.kernels.avro.wire import frame, unframe

WAYS: tuple[Literal["columns", "walk"], ...] = ("columns", "walk")
NOW = datetime(2026, 3, 2, 10, 0, 0, 123000, tzinfo=UTC)


def record(*fields: dict[str, Any], name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


def encode(schema: dict[str, Any], row: dict[str, Any]) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(json.loads(json.dumps(schema))), row)
    return stream.getvalue()


TYPES: list[tuple[str, Any, list[Any], list[Any] | None]] = [
    ("string", "string", ["a", "", "é"], None),
    ("nullable double", ["null", "double"], [1.5, None, -0.0], None),
    ("null last", ["double", "null"], [1.5, None], None),
    ("int", "int", [0, -(2**31), 2**31 - 1], None),
    ("long", "long", [0, -(2**63), 2**63 - 1], None),
    ("float", "float", [0.5, -2.0], None),
    ("boolean", "boolean", [True, False], None),
    ("enum", {"type": "enum", "name": "E", "symbols": ["no2", "pm25"]}, ["pm25", "no2"], None),
    (
        "nullable enum",
        ["null", {"type": "enum", "name": "E", "symbols": ["no2", "pm25"]}],
        ["pm25", None],
        None,
    ),
    ("millis", {"type": "long", "logicalType": "timestamp-millis"}, [NOW], None),
    ("micros", ["null", {"type": "long", "logicalType": "timestamp-micros"}], [NOW, None], None),
    (
        "local millis",
        {"type": "long", "logicalType": "local-timestamp-millis"},
        [NOW.replace(tzinfo=None)],
        None,
    ),
    ("date", {"type": "int", "logicalType": "date"}, [date(2026, 3, 2), date(1969, 12, 31)], None),
    ("bytes", "bytes", [b"", b"\x00\xff"], None),
    ("fixed", {"type": "fixed", "name": "F", "size": 2}, [b"ab"], None),
    (
        "decimal",
        {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
        [Decimal("12.34"), Decimal("-0.01")],
        None,
    ),
    ("array", {"type": "array", "items": "double"}, [[1.0, 2.0], []], None),
    ("array with nulls", {"type": "array", "items": ["null", "long"]}, [[1, None], []], None),
    ("map", {"type": "map", "values": "string"}, [{"a": "b"}, {}], [[("a", "b")], []]),
    (
        "array of records",
        {"type": "array", "items": record({"name": "v", "type": "double"}, name="I")},
        [[{"v": 1.0}], []],
        None,
    ),
]


@pytest.mark.parametrize(
    ("kind", "values", "expected"), [t[1:] for t in TYPES], ids=[t[0] for t in TYPES]
)
def test_decoders_agree_on_every_type_of_telemetry(
    kind: Any, values: list[Any], expected: list[Any] | None
) -> None:
    schema = record({"name": "id", "type": "string"}, {"name": "f", "type": kind})
    encoded = [encode(schema, {"id": str(at), "f": value}) for at, value in enumerate(values)]
    plain = Decoder(schema, schema, by="walk").decode(ByteStrings.of(encoded))
    assert plain.batch.column("f").to_pylist() == (expected or values)
    assert plain.batch.schema.types == [f.type for f in arrow_fields(parse_schema(schema))]
    assert Decoder(schema, schema).decode(ByteStrings.of(encoded)).batch.equals(plain.batch)


def test_the_jobs_schemas_take_the_fast_path() -> None:
    for name in ("air", "climate"):
        with open(f"schemas/{name}_reading.avsc") as text:
            schema = text.read()
        assert Records.of(Program.of(parse_schema(schema))) is not None


NESTED = record(
    {"name": "id", "type": "string"},
    {
        "name": "position",
        "type": [
            "null",
            record(
                {"name": "lat", "type": "double"},
                {"name": "lon", "type": ["null", "double"]},
                name="P",
            ),
        ],
    },
)


def test_nested_records_flatten_and_a_null_record_gives_nulls() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "position": {"lat": 1.0, "lon": None}},
        {"id": "b", "position": None},
    ]
    for by in WAYS:
        batch = (
            Decoder(NESTED, NESTED, by=by)
            .decode(ByteStrings.of([encode(NESTED, row) for row in rows]))
            .batch
        )
        assert batch.to_pylist() == [
            {"id": "a", "position_lat": 1.0, "position_lon": None},
            {"id": "b", "position_lat": None, "position_lon": None},
        ]


RESOLUTIONS = [
    (
        "reordered",
        [("a", "int"), ("b", "string")],
        [("b", "string"), ("a", "int")],
        {"a": 1, "b": "x"},
    ),
    ("removed", [("a", "int"), ("b", "string")], [("a", "int")], {"a": 1, "b": "x"}),
    ("added with default", [("a", "int")], [("a", "int"), ("b", "string", "none")], {"a": 1}),
    ("added nullable", [("a", "int")], [("a", "int"), ("b", ["null", "double"], None)], {"a": 1}),
    ("int to long", [("a", "int")], [("a", "long")], {"a": -5}),
    ("int to double", [("a", "int")], [("a", "double")], {"a": 7}),
    ("long to float", [("a", "long")], [("a", "float")], {"a": 1024}),
    ("float to double", [("a", "float")], [("a", "double")], {"a": 0.5}),
    ("made nullable", [("a", "int")], [("a", ["null", "long"])], {"a": 3}),
]


@pytest.mark.parametrize(
    ("writer", "reader", "row"), [r[1:] for r in RESOLUTIONS], ids=[r[0] for r in RESOLUTIONS]
)
def test_schema_resolution_equals_fastavros(writer: Any, reader: Any, row: dict[str, Any]) -> None:
    def made(fields: Any) -> dict[str, Any]:
        return record(
            *(
                {"name": f[0], "type": f[1], **({"default": f[2]} if len(f) > 2 else {})}
                for f in fields
            )
        )

    written, wanted = made(writer), made(reader)
    value = encode(written, row)
    parsed = (
        fastavro.parse_schema(json.loads(json.dumps(written))),
        fastavro.parse_schema(json.loads(json.dumps(wanted))),
    )
    oracle = fastavro.schemaless_reader(BytesIO(value), *parsed)
    for by in WAYS:
        assert Decoder(written, wanted, by=by).decode(
            ByteStrings.of([value])
        ).batch.to_pylist() == [oracle]


def test_an_alias_matches_a_renamed_field() -> None:
    old = record({"name": "temp", "type": "double"})
    new = record({"name": "temperature", "type": "double", "aliases": ["temp"]})
    assert Decoder(old, new).decode(
        ByteStrings.of([encode(old, {"temp": 3.5})])
    ).batch.to_pylist() == [{"temperature": 3.5}]


@pytest.mark.parametrize(
    ("reader", "sentence"),
    [
        (
            record({"name": "b", "type": "int"}),
            "the writer's schema has no field 'b', and the reader's has no default",
        ),
        (
            record({"name": "a", "type": "int"}),
            "field 'a' was written as string, which does not read as int32",
        ),
    ],
)
def test_schemas_that_do_not_resolve_are_rejected_with_a_sentence(
    reader: Any, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Decoder(record({"name": "a", "type": "string"}), reader)


def test_a_union_of_several_types_is_rejected() -> None:
    with pytest.raises(ValueError, match="a union of string and long has no column"):
        arrow_fields(parse_schema(record({"name": "a", "type": ["null", "string", "long"]})))


READING = record({"name": "id", "type": "string"}, {"name": "v", "type": ["null", "double"]})


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 1.0])
def test_bad_values_become_faults_and_the_others_rows(share: float) -> None:
    random = np.random.default_rng(3)
    good = [encode(READING, {"id": f"sensor-{n}", "v": float(n)}) for n in range(2000)]
    bad = random.random(2000) < share
    values = [d[:-3] if b else d for d, b in zip(good, bad, strict=True)]
    for by in WAYS:
        decoded = Decoder(READING, READING, by=by).decode(ByteStrings.of(values))
        assert decoded.rows.tolist() == np.flatnonzero(~bad).tolist()
        assert [at for at, _ in decoded.faults] == np.flatnonzero(bad).tolist()
        assert decoded.batch.column("v").to_pylist() == [float(n) for n in np.flatnonzero(~bad)]


def test_damaged_bytes_never_crash_the_decoder() -> None:
    random = np.random.default_rng(9)
    value = encode(NESTED, {"id": "abc", "position": {"lat": 1.0, "lon": 2.0}})
    damaged = [
        bytes(random.integers(0, 256, random.integers(0, 30), dtype=np.uint8)) for _ in range(300)
    ]
    damaged += [
        bytes(b ^ (1 << (n % 8)) if at == n // 8 else b for at, b in enumerate(value))
        for n in range(8 * len(value))
    ]
    for by in WAYS:
        decoded = Decoder(NESTED, NESTED, by=by).decode(ByteStrings.of(damaged))
        assert len(decoded.rows) + len(decoded.faults) == len(damaged)


EVERY = record(
    {"name": "id", "type": "string"},
    {"name": "flag", "type": "boolean"},
    {"name": "small", "type": ["null", "int"]},
    {"name": "large", "type": ["long", "null"]},
    {"name": "kind", "type": {"type": "enum", "name": "E", "symbols": ["a", "b", "c"]}},
    {
        "name": "inner",
        "type": record(
            {"name": "v", "type": ["null", "double"]}, {"name": "f", "type": "float"}, name="I"
        ),
    },
    {"name": "note", "type": ["null", "string"]},
)
ROWS = st.fixed_dictionaries(
    {
        "id": st.text(max_size=20),
        "flag": st.booleans(),
        "small": st.none() | st.integers(-(2**31), 2**31 - 1),
        "large": st.none() | st.integers(-(2**63), 2**63 - 1),
        "kind": st.sampled_from("abc"),
        "inner": st.fixed_dictionaries(
            {"v": st.none() | st.floats(allow_nan=False), "f": st.floats(width=32, allow_nan=False)}
        ),
        "note": st.none() | st.text(max_size=5),
    }
)


@given(
    st.lists(ROWS, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 40), st.integers(0, 255)), max_size=6),
)
def test_both_loops_equal_fastavro(rows: list[Any], damages: list[tuple[int, int, int]]) -> None:
    values = [bytearray(encode(EVERY, row)) for row in rows]
    for which, at, byte in damages:
        if which < len(values) and at < len(values[which]):
            values[which][at] = byte
    given_ = ByteStrings.of([bytes(value) for value in values])
    plain, loop = (
        Decoder(EVERY, EVERY, by="walk").decode(given_),
        Decoder(EVERY, EVERY).decode(given_),
    )
    # Damage can make a NaN, which equals nothing but is written alike.
    assert loop.batch.schema == plain.batch.schema
    assert repr(loop.batch.to_pylist()) == repr(plain.batch.to_pylist())
    assert loop.faults == plain.faults
    assert loop.rows.tolist() == plain.rows.tolist()
    for at, row in zip(loop.rows.tolist(), loop.batch.to_pylist(), strict=True):
        wanted = fastavro.schemaless_reader(BytesIO(bytes(values[at])), _EVERY, None)
        wanted |= {f"inner_{name}": value for name, value in wanted.pop("inner").items()}
        assert repr(sorted(row.items())) == repr(sorted(wanted.items()))


_EVERY = fastavro.parse_schema(json.loads(json.dumps(EVERY)))


@given(st.lists(st.binary(max_size=6) | st.text(max_size=3).map(str.encode), max_size=10))
def test_texts_that_are_not_utf_8_are_faults(texts: list[bytes]) -> None:
    schema = record({"name": "id", "type": "string"})

    def is_text(data: bytes) -> bool:
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
        return True

    decoded = Decoder(schema, schema).decode(
        ByteStrings.of([bytes([2 * len(text)]) + text for text in texts])
    )
    assert decoded.rows.tolist() == [at for at, text in enumerate(texts) if is_text(text)]


@pytest.mark.parametrize("place", range(6))
def test_one_byte_that_is_not_utf_8_is_found_wherever_it_is(place: int) -> None:
    text = bytearray(b"abcdef")
    text[place] = 0xFF
    schema = record({"name": "id", "type": "string"})
    decoded = Decoder(schema, schema).decode(
        ByteStrings.of([bytes([12]) + one for one in (b"abcdef", bytes(text), b"ghijkl")])
    )
    assert decoded.rows.tolist() == [0, 2]
    assert decoded.batch.column("id").to_pylist() == ["abcdef", "ghijkl"]


def test_times_beyond_year_9999_are_faults_that_ask_for_the_unit() -> None:
    schema = record({"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}})
    plain = record({"name": "t", "type": "long"})
    values = [encode(plain, {"t": t}) for t in (0, 2**62, -(2**62), 2**63 - 1)]
    for by in WAYS:
        decoded = Decoder(schema, schema, by=by).decode(ByteStrings.of(values))
        assert decoded.rows.tolist() == [0]
        assert [at for at, _ in decoded.faults] == [1, 2, 3]
        assert decoded.faults[0][1] == (
            "not readable with its schema: 't' is 4611686018427387904 milliseconds since 1970, "
            "beyond the years 1 to 9999: is it in another unit?"
        )


def test_frames_are_distinguished() -> None:
    values = [
        frame(7, b"x"),
        None,
        b"",
        b"{}",
        b"\x01" + bytes(16) + b"y",
        b"\xc3\x01" + bytes(8) + b"z",
    ]
    unframed = unframe(pa.array(values, pa.large_binary()))
    assert {g.key: g.values.to_list() for g in unframed.groups} == {
        "id:7": [b"x"],
        "guid:00000000-0000-0000-0000-000000000000": [b"y"],
        "fingerprint:0000000000000000": [b"z"],
    }
    assert [at for at, _ in unframed.faults] == [1, 2, 3]


def test_a_message_with_a_guid_header_has_no_frame() -> None:
    guid = b"\x01" + bytes(range(16))
    values = [b"\x00\x00\x00\x00\x07x", frame(7, b"y"), frame(7, b"z")]
    guids = np.array([[*guid, 1], [0] * 18, [0] * 18], np.uint8)
    unframed = unframe(pa.array(values, pa.large_binary()), guids)
    assert {g.key: g.values.to_list() for g in unframed.groups} == {
        "guid:00010203-0405-0607-0809-0a0b0c0d0e0f": [b"\x00\x00\x00\x00\x07x"],
        "id:7": [b"y", b"z"],
    }


def test_one_schema_in_two_kinds_of_frame_is_one_group() -> None:
    guid = b"\x01" + bytes(16)
    guids = np.array([[0] * 18, [*guid, 1], [0] * 18], np.uint8)
    unframed = unframe(pa.array([guid + b"a", b"b", guid + b"c"], pa.large_binary()), guids)
    (group,) = unframed.groups
    assert (group.positions.tolist(), group.values.to_list()) == ([0, 1, 2], [b"a", b"b", b"c"])


def test_readings_of_one_message_become_rows() -> None:
    batch = pa.RecordBatch.from_pylist(
        [
            {"id": "a", "r": [{"v": 1.0}, {"v": 2.0}]},
            {"id": "b", "r": []},
            {"id": "c", "r": None},
            {"id": "d", "r": [{"v": 3.0}]},
        ]
    )
    rows, messages, index = unnest(batch, "r", np.array([10, 11, 12, 13]))
    assert rows.to_pylist() == [{"id": "a", "v": 1.0}, {"id": "a", "v": 2.0}, {"id": "d", "v": 3.0}]
    assert (messages.tolist(), index.tolist()) == ([10, 10, 13], [0, 1, 0])


def test_an_avro_file_is_read_in_batches(tmp_path: Any) -> None:
    with open(tmp_path / "x.avro", "wb") as stream:
        fastavro.writer(
            stream,
            fastavro.parse_schema(json.loads(json.dumps(READING))),
            [{"id": str(n), "v": n / 2} for n in range(25)],
        )
    pieces = list(raw_avro_file(str(tmp_path / "x.avro"), json.dumps(READING), 10))
    batches = [piece.decoded.batch for piece in pieces]
    assert [b.num_rows for b in batches] == [10, 10, 5]
    assert [row["v"] for b in batches for row in b.to_pylist()] == [n / 2 for n in range(25)]
