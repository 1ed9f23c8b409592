"""Any bytes in a JSON topic give rows or faults, alone as in company."""

from __future__ import annotations

import json
import os
import random
import re
from typing import Any

import pytest

from tests.kernels.avro.fuzz import (
    ENUM,
    FIXED,
    MILLIS,
    POINT,
    PRICE,
    array,
    logical,
    map_of,
    record,
)
from tests.kernels.avro.test_total import fates
from tocsin.kernels.avro.json_decoder import JsonDecoder
from tocsin.kernels.avro.types import leaves, parse_schema

FLAT = record(
    "R",
    ("id", "string"),
    ("at", MILLIS),
    ("v", ["null", "double"]),
    ("q", "int", 0),
    ("l", ["null", "long"]),
    ("f", ["null", "float"], None),
    ("b", ["null", "boolean"]),
)
SCHEMAS = {
    "flat": FLAT,
    "micros": record("R", ("at", ["null", logical("long", "timestamp-micros")]), ("v", "double")),
    "nested": record("R", ("id", "string"), ("p", ["null", POINT]), ("e", ENUM), ("x", FIXED)),
    "lists": record("R", ("readings", array(POINT)), ("m", map_of("int")), ("d", ["null", PRICE])),
}
MESSAGES = max(int(os.environ.get("TOCSIN_FUZZ", "5000")) // 4, 50) // len(SCHEMAS)
# A list next to a message keeps Arrow's parser out of the way.
COMPANY = b"[]"
TIMES = [
    0, 1772445600000, 1772445600000000, 1.5, True, None, "2026-03-02T10:00:00Z", "2026-03-02",
    "2026-03-02T10:00:00", "2026-03-02 10:00:00.123456+02:00", "2026-03-02T10:00:00.123456789Z",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2026-02-30T00:00:00Z",
    "20260302T100000Z",
    10**23, -(2**63), 2**63, "x", "2026-03-02T10Z", "2026-03-02T10:00Z", "2026-03-02T10:00:00z",
    "2026-03-02T24:00:00Z", "2026-03-02T10:00:60Z", "2026-W10-1T00:00Z", "2026-03-02T10:00:00,5Z",
]  # fmt: skip
OTHERS = [
    0, -0.0, 1, 3.7, 3.0, 1e2, 1e39, 1e400, 16777217, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1,
    10**30, True, False, None, "", "a",
    "é漢\U0001f600", "\ud800", "1.50", "no2", "abc", [], {}, [1],
    {"x": 1}, 0.1, 3.4028235677973366e38,
    1.401298464324817e-45, -1,
]  # fmt: skip
RAW = [
    b"NaN", b"-Infinity", b"01", b"1.", b".5", b"+1", b"1e", b'"\xff"', b'"\\ud800"', b"'a'", b"",
       b"tru", b'"\x01"', b"[" * 5000, b"-0", b"1E5", b"0.1e-400", b'"\\u00e9"',
    b"/* */ 1",
]  # fmt: skip


def made(schema: dict[str, Any], rand: random.Random) -> bytes:
    """An object near to the schema."""
    members = []
    for field in schema["fields"]:
        if rand.random() < 0.04:
            continue
        pool = TIMES if "timestamp" in json.dumps(field) and rand.random() < 0.9 else OTHERS
        fitting = GOOD.get(field["name"])
        value = json.dumps(
            fitting if fitting is not None and rand.random() < 0.85 else rand.choice(pool)
        )
        raw = rand.choice(RAW) if rand.random() < 0.03 else value.encode()
        members.append(json.dumps(field["name"]).encode() + b": " + raw)
    if rand.random() < 0.1:
        members.append(rand.choice([b'"new": [1, {"a": 2}]', b'"id": "again"', b'"v": 1, "v": 2']))
    data = bytearray(b"{" + b", ".join(members) + b"}")
    if rand.random() < 0.2:
        data[rand.randrange(len(data))] = rand.randrange(256)
    if rand.random() < 0.05:
        return rand.choice(
            [bytes(data) * 2, b"[" + bytes(data) + b"]", bytes(data[:-1]), b"", b"{"]
        )
    return bytes(data)


GOOD: dict[str, Any] = {
    "id": "s1",
    "q": 7,
    "p": {"x": 1.5, "at": 1772445600000},
    "e": "no2",
    "x": "abc",
    "readings": [{"x": 1, "at": "2026-03-02T10:00:20Z"}, {"x": 2.5, "at": 1772445600000}],
    "m": {"k": 1},
    "d": 1.25,
    "b": True,
    "v": 1.5,
    "l": 2**40,
    "f": 0.5,
    "at": "2026-03-02T10:00:00Z",
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_message_has_one_fate_alone_and_in_company(name: str) -> None:
    rand = random.Random(11)
    decoder = JsonDecoder(leaves(parse_schema(SCHEMAS[name])))
    values = [made(SCHEMAS[name], rand) for _ in range(MESSAGES)]
    rows, faults = 0, 0
    for value in values:
        alone, company = decoder.decode([value]), decoder.decode([value, COMPANY])
        assert alone.faults == company.faults, value
        assert repr(alone.batch.to_pylist()) == repr(company.batch.to_pylist()), value
        alone.batch.validate(full=True)
        rows += alone.batch.num_rows
        faults += len(alone.faults)
        # Only an array of readings may have no row, or several.
        assert value[:1] == b"[" or alone.batch.num_rows + len(alone.faults) == 1
    assert rows > MESSAGES // 20
    assert faults > MESSAGES // 20
    together = decoder.decode(values)
    assert together.batch.num_rows == rows
    assert len(together.faults) == faults


@pytest.mark.parametrize("value", [*TIMES, *OTHERS], ids=repr)
@pytest.mark.parametrize("name", ["at", "v", "q", "l", "f", "b", "id"])
def test_every_value_in_every_field_has_one_fate(name: str, value: Any) -> None:
    decoder = JsonDecoder(leaves(parse_schema(FLAT)))
    item = {"id": "a", "at": 0, "v": 1, "q": 1, "l": 1, "f": 1, "b": True, name: value}
    message = json.dumps(item).encode()
    alone, company = decoder.decode([message]), decoder.decode([message, COMPANY])
    assert alone.faults == company.faults
    assert repr(alone.batch.to_pylist()) == repr(company.batch.to_pylist())


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ('"q": 3.7', "'q': 3.7 is not an integer"),
        ('"v": true', "'v': true is not a number"),
        ('"at": true', "'at': true is not a whole number of the schema's unit"),
        ('"at": 1772445600.25', "'at': 1772445600.25 is not a whole number of the schema's unit"),
        ('"at": 17724456000000000000000', "beyond the years 1 to 9999: is it in another unit?"),
        ('"id": null', "'id': it is null, and the schema needs a value"),
        ('"l": 18446744073709551615', "does not fit an integer of 64 bits"),
        ('"q": 2147483648', "'q': 2147483648 does not fit an integer of 32 bits"),
        ('"v": NaN', "NaN is no number of JSON"),
        ('"id": "\\ud800"', "half of a UTF-16 pair is no text"),
    ],
)
def test_a_fault_says_what_is_wrong_and_where(member: str, reason: str) -> None:
    items = [f'{{"id": "{n}", "at": {n}, "v": 1, "l": null, "b": null}}'.encode() for n in range(3)]
    name = member.split('"')[1]
    found = re.sub(rf'"{name}": [^,}}]+', lambda _: member, items[1].decode())
    if name not in items[1].decode():
        found = items[1].decode()[:-1] + ", " + member + "}"
    decoded = JsonDecoder(leaves(parse_schema(FLAT))).decode([items[0], found.encode(), items[2]])
    assert decoded.batch.column("id").to_pylist() == ["0", "2"]
    ((at, text),) = decoded.faults
    assert at == 1
    assert reason in text


def test_a_number_in_the_place_of_a_time_has_the_unit_of_the_schema() -> None:
    decoder = JsonDecoder(leaves(parse_schema(SCHEMAS["micros"])))
    for company in ([], [COMPANY]):
        batch = decoder.decode([b'{"at": 1772445600000000, "v": 1}', *company]).batch
        assert batch.column("at")[0].as_py().isoformat() == "2026-03-02T10:00:00+00:00"


def test_times_in_a_list_have_the_unit_of_the_schema_and_may_be_text() -> None:
    schema = record("M", ("readings", array(POINT)))
    values = [
        b'{"readings": [{"x": 1, "at": 1772445600000}, {"x": 2, "at": "2026-03-02T10:00:20Z"}]}'
    ]
    (row,) = JsonDecoder(leaves(parse_schema(schema))).decode(values).batch.to_pylist()
    assert [one["at"].isoformat() for one in row["readings"]] == [
        "2026-03-02T10:00:00+00:00",
        "2026-03-02T10:00:20+00:00",
    ]


def test_a_decimal_keeps_its_digits() -> None:
    schema = record("R", ("d", logical("bytes", "decimal", precision=20, scale=2)))
    decoder = JsonDecoder(leaves(parse_schema(schema)))
    decoded = decoder.decode([b'{"d": 123456789012345678.25}', b'{"d": 1.005}', b'{"d": "7.5"}'])
    assert [str(d) for d in decoded.batch.column("d").to_pylist()] == [
        "123456789012345678.25",
        "7.50",
    ]
    assert decoded.faults == [
        (1, "not a JSON reading: 'd': 1.005 does not fit 20 digits, 2 of them decimals")
    ]


def test_deep_nesting_is_a_fault() -> None:
    decoder = JsonDecoder(leaves(parse_schema(FLAT)))
    deep = b'{"id": "a", "at": 0, "v": 1, "l": 1, "b": null, "new": ' + b"[" * 200_000 + b"}"
    assert len(fates(decoder.decode([deep]), 1)) == 1
