"""What a value becomes where writer and reader differ, and what is no value of the reader."""

from __future__ import annotations

import io
import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from tests.kernels.avro.fuzz import ENUM, MILLIS, PRICE, array, logical, message, plain, record
from tocsin.kernels.avro.byte_strings import ByteStrings
from tocsin.kernels.avro.decode import Decoder
from tocsin.kernels.avro.total import Decoded
from tocsin.kernels.avro.types import arrow_fields, parse_schema

JANUARY = datetime(2025, 1, 1, tzinfo=UTC)


def encode(kind: Any, value: Any) -> bytes:
    stream = io.BytesIO()
    schema = fastavro.parse_schema(json.loads(json.dumps(plain(message(kind)))))
    fastavro.schemaless_writer(stream, schema, {"id": "a", "v": value, "n": 1})
    return stream.getvalue()


def decode(written: Any, wanted: Any, values: list[Any]) -> Decoded:
    decoder = Decoder(message(written), message(wanted))
    decoded = decoder.decode(ByteStrings.of([encode(written, value) for value in values]))
    walked = Decoder(message(written), message(wanted), by="walk")
    again = walked.decode(ByteStrings.of([encode(written, value) for value in values]))
    assert again.batch.equals(decoded.batch)
    assert again.faults == decoded.faults
    return decoded


@pytest.mark.parametrize(
    ("written", "wanted", "values", "read"),
    [
        ("long", "double", [1, 2**53 + 1, 3], [1.0, 2.0**53, 3.0]),
        ("int", "float", [2**24 + 1], [2.0**24]),
        ("long", "float", [2**62 + 1], [2.0**62]),
        (["null", "long", "double"], ["null", "double"], [1, 2.5, None], [1.0, 2.5, None]),
        (["null", "int", "long"], ["null", "int", "long"], [("int", 1), None], [1, None]),
        (ENUM, {**ENUM, "symbols": ["no2", "x"], "default": "x"}, ["no2", "o3"], ["no2", "x"]),
        ("long", MILLIS, [1735689600000], [JANUARY]),
        (MILLIS, "long", [1735689600000], [1735689600000]),
        (MILLIS, logical("long", "timestamp-micros"), [1735689600000], [JANUARY]),
        (["double"], "double", [1.5], [1.5]),
        ("double", ["null", "double"], [1.5], [1.5]),
        (
            array(["null", PRICE]),
            array(["null", PRICE]),
            [[b"\x64", None]],
            [[Decimal("1.00"), None]],
        ),
    ],
)
def test_a_value_is_read_as_the_specification_has_it(
    written: Any, wanted: Any, values: list[Any], read: list[Any]
) -> None:
    decoded = decode(written, wanted, values)
    assert decoded.faults == []
    assert decoded.batch.column("v").to_pylist() == read


@pytest.mark.parametrize(
    ("written", "wanted", "values", "reason"),
    [
        (["null", "double"], "double", [1.5, None], "'v' is null, and the schema needs a value"),
        ("bytes", "string", [b"a", b"\xff"], "'v' is not UTF-8"),
        (PRICE, PRICE, [b"\x64", b"\x12\xd6\x87"], "'v' has more than 4 digits"),
        (array(PRICE), array(PRICE), [[], [b"\x12\xd6\x87"]], "'v' has more than 4 digits"),
        (
            logical("int", "date"),
            logical("int", "date"),
            [0, 2**31 - 1],
            "'v' is 2147483647 days since 1970, beyond the years 1 to 9999",
        ),
        (
            logical("int", "time-millis"),
            logical("int", "time-millis"),
            [0, 86_400_000],
            "'v' is 86400000 milliseconds, which is no time of a day",
        ),
        (
            MILLIS,
            MILLIS,
            [0, 1772445600000000000],
            (
                "'v' is 1772445600000000000 milliseconds since 1970, beyond the years 1 to 9999: "
                "is it in another unit?"
            ),
        ),
        (
            ["double", "string"],
            "double",
            [1.0, "x"],
            "'v' holds a string, which does not read as double",
        ),
        (
            ENUM,
            {**ENUM, "symbols": ["no2"]},
            ["no2", "o3"],
            "'v' has the symbol 'o3', which the reader's enum lacks",
        ),
    ],
)
def test_a_value_the_reader_does_not_have_is_a_fault_of_its_message(
    written: Any, wanted: Any, values: list[Any], reason: str
) -> None:
    decoded = decode(written, wanted, values)
    assert decoded.rows.tolist() == [0]
    assert decoded.faults == [(1, f"not readable with its schema: {reason}")]


def test_a_number_beyond_32_bits_is_a_fault_in_every_schema() -> None:
    for kind, wide in (("int", "long"), (array("int"), array("long"))):
        big = 2**31 if kind == "int" else [2**31]
        decoded = Decoder(message(kind), message(kind)).decode(
            ByteStrings.of([encode(wide, big), encode(wide, 1 if kind == "int" else [1])])
        )
        assert decoded.rows.tolist() == [1]
        assert decoded.faults == [(0, "not readable with its schema: 'v' is no 32-bit number")]


@pytest.mark.parametrize(
    ("kind", "default", "read"),
    [
        (MILLIS, 1735689600000, JANUARY),
        (logical("int", "time-millis"), 3_600_000, JANUARY.time().replace(hour=1)),
        (logical("int", "date"), 20089, JANUARY.date()),
        (PRICE, "\x64", Decimal("1.00")),
        ("bytes", "\u00ff", b"\xff"),
        (array(MILLIS), [1735689600000], [JANUARY]),
        (["null", "double"], None, None),
        (ENUM, "pm25", "pm25"),
        ({"type": "map", "values": "int"}, {"a": 1}, [("a", 1)]),
    ],
)
def test_a_default_has_the_meaning_of_its_type(kind: Any, default: Any, read: Any) -> None:
    wanted = record("R", ("id", "string"), ("v", kind, default))
    for written in (record("R", ("id", "string")), record("R", ("id", "string"), ("x", "null"))):
        decoded = Decoder(written, wanted).decode(ByteStrings.of([b"\x02a"]))
        assert decoded.batch.to_pylist() == [{"id": "a", "v": read}]


def test_defaults_and_aliases_hold_inside_lists() -> None:
    written = array(record("I", ("a", "int")))
    inner = record("I", ("b", "long"), ("at", MILLIS, 1735689600000))
    inner["fields"][0]["aliases"] = ["a"]
    assert decode(written, array(inner), [[{"a": 7}]]).batch.column("v").to_pylist() == [
        [{"b": 7, "at": JANUARY}]
    ]


def test_an_unused_field_of_any_type_does_not_reject_its_message() -> None:
    odd = ["null", "string", "long", record("Z"), array("null"), {"type": "map", "values": "bytes"}]
    written = record("R", ("id", "string"), ("odd", odd), ("v", "double"))
    schema = fastavro.parse_schema(json.loads(json.dumps(written)))
    values = []
    for value in ("x", 7, None, [None] * 3, {"k": b"\xff"}):
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, schema, {"id": "a", "odd": value, "v": 1.5})
        values.append(stream.getvalue())
    wanted = record("R", ("id", "string"), ("v", "double"))
    decoded = Decoder(written, wanted).decode(ByteStrings.of(values))
    assert decoded.batch.to_pylist() == [{"id": "a", "v": 1.5}] * 5


def test_two_billion_items_without_bytes_are_a_fault_at_once() -> None:
    for items in ("null", record("Z"), {"type": "fixed", "name": "F", "size": 0}):
        written = record("R", ("v", array(items)))
        wanted = record("R", ("id", "string", "x"))
        begin = time.process_time()
        decoded = Decoder(written, wanted).decode(
            ByteStrings.of([b"\xfe\xff\xff\xff\x0f\x00"] * 20 + [b"\x06\x00"])
        )
        assert time.process_time() - begin < 20
        assert decoded.rows.tolist() == [20]
        assert decoded.faults[0][1].endswith("'v' has more than 1000 items without bytes")


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        (
            record("N", ("v", "int"), ("next", ["null", "N"])),
            "the type 'N' in 'next' contains itself, and columns have no recursive type",
        ),
        (record("N", ("v", array(record("Z")))), "the record 'Z' has no fields"),
        (record("N"), "the record 'N' has no fields, so it has no columns"),
        (record("N", ("v", [])), "the union in 'v' has no types"),
        (record("N", ("v", ["null", "null"])), "the union in 'v' holds one type twice"),
        (record("N", ("v", ["null", ["int", "long"]])), "the union in 'v' holds a union"),
        (
            record("N", ("v", logical("bytes", "decimal", precision=77))),
            "a decimal of 77 digits has no column type; at most 76 fit",
        ),
    ],
)
def test_a_schema_without_columns_is_an_error_with_a_sentence(schema: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        arrow_fields(parse_schema(schema))


def test_a_named_type_may_be_used_twice() -> None:
    point = record("P", ("x", "double"))
    schema = record("R", ("a", point), ("b", "P"), ("c", array("P")))
    stream = io.BytesIO()
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema)))
    fastavro.schemaless_writer(stream, parsed, {"a": {"x": 1}, "b": {"x": 2}, "c": [{"x": 3}]})
    decoded = Decoder(schema, schema).decode(ByteStrings.of([stream.getvalue()]))
    assert decoded.batch.to_pylist() == [{"a_x": 1.0, "b_x": 2.0, "c": [{"x": 3.0}]}]
