"""Schemas of every Avro type, and messages of them: valid, truncated, flipped and random bytes."""

from __future__ import annotations

import io
import json
import math
import random
import struct
from typing import Any

import fastavro

Kind = Any


def record(name: str, *fields: tuple[Any, ...]) -> dict[str, Any]:
    """A record of (name, type) or (name, type, default)."""
    return {
        "type": "record",
        "name": name,
        "fields": [
            {"name": f[0], "type": f[1], **({"default": f[2]} if len(f) > 2 else {})}
            for f in fields
        ],
    }


def logical(base: Kind, name: str, **more: Any) -> dict[str, Any]:
    return {**(base if isinstance(base, dict) else {"type": base}), "logicalType": name, **more}


def array(items: Kind) -> dict[str, Any]:
    return {"type": "array", "items": items}


def map_of(values: Kind) -> dict[str, Any]:
    return {"type": "map", "values": values}


FIXED = {"type": "fixed", "name": "F", "size": 3}
ENUM = {"type": "enum", "name": "E", "symbols": ["no2", "pm25", "o3"]}
MILLIS = logical("long", "timestamp-millis")
PRICE = logical("bytes", "decimal", precision=4, scale=2)
POINT = record("P", ("x", "double"), ("at", MILLIS))

TYPES: dict[str, Kind] = {
    "boolean": "boolean",
    "int": "int",
    "long": "long",
    "float": "float",
    "double": "double",
    "string": "string",
    "bytes": "bytes",
    "fixed": FIXED,
    "enum": ENUM,
    "null": "null",
    "nullable_string": ["null", "string"],
    "null_last": ["long", "null"],
    "one_type_union": ["double"],
    "numbers": ["null", "int", "long", "float", "double"],
    "millis": MILLIS,
    "micros": ["null", logical("long", "timestamp-micros")],
    "nanos": logical("long", "timestamp-nanos"),
    "local": logical("long", "local-timestamp-micros"),
    "date": ["null", logical("int", "date")],
    "time_millis": logical("int", "time-millis"),
    "time_micros": logical("long", "time-micros"),
    "decimal": PRICE,
    "decimal_fixed": logical({**FIXED, "size": 9}, "decimal", precision=20, scale=3),
    "decimal_wide": logical("bytes", "decimal", precision=76, scale=10),
    "uuid": logical("string", "uuid"),
    "array_of_doubles": array("double"),
    "array_of_nullable_decimals": array(["null", PRICE]),
    "array_of_millis": ["null", array(MILLIS)],
    "array_of_nulls": array("null"),
    "array_of_arrays": array(array("int")),
    "map_of_longs": map_of("long"),
    "map_of_records": map_of(POINT),
    "array_of_records": array(
        record("I", ("s", "string"), ("t", ["null", MILLIS]), ("b", "bytes"))
    ),
    "array_of_nullable_records": array(["null", POINT]),
    "record": POINT,
    "nullable_record": ["null", record("Q", ("p", POINT), ("note", ["null", "string"]))],
    "named_type_twice": array(record("T", ("a", FIXED), ("b", "F"), ("c", ["null", "F"]))),
    "empty_record": record("Z"),
}


def message(kind: Kind) -> dict[str, Any]:
    """A reading whose field `v` has the type."""
    return record("R", ("id", "string"), ("v", kind), ("n", ["null", "int"]))


# (writer, reader): what the specification's resolution allows.
RESOLUTIONS: dict[str, tuple[Kind, Kind]] = {
    "int_as_double": ("int", "double"),
    "long_as_float": ("long", "float"),
    "long_as_double": ("long", ["null", "double"]),
    "numbers_as_double": (["null", "long", "double"], "double"),
    "string_as_bytes": ("string", "bytes"),
    "bytes_as_string": ("bytes", "string"),
    "nullable_as_required": (["null", "double"], "double"),
    "mixed_as_string": (["string", "long", "null"], ["null", "string"]),
    "symbols_with_default": (ENUM, {**ENUM, "symbols": ["o3", "other"], "default": "other"}),
    "symbols_without_default": (ENUM, {**ENUM, "symbols": ["o3"]}),
    "logical_type_added": ("long", MILLIS),
    "narrower_decimal": (logical("bytes", "decimal", precision=30, scale=2), PRICE),
    "record_with_default": (
        array(record("I", ("a", "int"))),
        array(record("I", ("a", "long"), ("at", MILLIS, 1735689600000))),
    ),
    "record_or_text": (["null", POINT, "string"], ["null", POINT]),
}


def pairs() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """All writer and reader schemas by name."""
    same = {name: (message(kind), message(kind)) for name, kind in TYPES.items()}
    return same | {name: (message(w), message(r)) for name, (w, r) in RESOLUTIONS.items()}


def plain(schema: Kind) -> Kind:
    """The schema of the same bytes without logical types."""
    if isinstance(schema, dict):
        drop = ("logicalType", "precision", "scale")
        return {k: plain(v) for k, v in schema.items() if k not in drop}
    return [plain(one) for one in schema] if isinstance(schema, list) else schema


class Datums:
    """Values and messages of a schema from a seed."""

    def __init__(self, schema: dict[str, Any], seed: int) -> None:
        self.random = random.Random(seed)
        self.schema = schema
        self.parsed = fastavro.parse_schema(json.loads(json.dumps(plain(schema))))
        self.names: dict[str, Kind] = {}

    def valid(self) -> bytes:
        """A message that the schema's own writer wrote."""
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, self.parsed, self.value(self.schema))
        return stream.getvalue()

    def damaged(self) -> bytes:
        """A message with damage, or none that any writer wrote."""
        data = bytearray(self.valid())
        way = self.random.randrange(6)
        if way == 0:
            return bytes(data[: self.random.randrange(len(data) + 1)])
        if way == 1:
            for _ in range(self.random.randint(1, 3)):
                data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        elif way == 2:
            return self.random.randbytes(self.random.randrange(40))
        elif way == 3:
            at = self.random.randrange(len(data) + 1)
            data[at:at] = self.random.randbytes(self.random.randint(1, 4))
        elif way == 4:
            at = self.random.randrange(len(data) + 1)
            data[at : at + self.random.randint(1, 11)] = self.random.choice(
                [b"\xff" * 9 + b"\x01", b"\xfe\xff\xff\xff\x0f", b"\x80" * 12, b"\x01", b"\xff"]
            )
        else:
            del data[self.random.randrange(len(data))]
        return bytes(data)

    def value(self, kind: Kind) -> Any:
        """A value of a type, as fastavro writes it without logical types."""
        if isinstance(kind, list):
            branch = self.random.choice(kind)
            found = self.value(branch)
            if isinstance(branch, str) and branch in ("int", "long", "float", "double", "string"):
                return (branch, found)
            return found
        if isinstance(kind, str):
            return self._primitive(kind)
        if "name" in kind:
            self.names[kind["name"]] = kind
        logical_type, base = kind.get("logicalType"), kind["type"]
        if logical_type == "decimal":
            return self._decimal(kind)
        if logical_type is not None and logical_type != "uuid":
            return self._time(logical_type)
        if base == "record":
            return {f["name"]: self.value(f["type"]) for f in kind["fields"]}
        if base == "array":
            return [self.value(kind["items"]) for _ in range(self.random.choice([0, 1, 1, 2, 5]))]
        if base == "map":
            return {
                self._text(): self.value(kind["values"]) for _ in range(self.random.randrange(3))
            }
        if base == "enum":
            return self.random.choice(kind["symbols"])
        if base == "fixed":
            return self.random.randbytes(kind["size"])
        return self._primitive(base)

    def _primitive(self, kind: str) -> Any:
        if kind in self.names:
            return self.value(self.names[kind])
        bits = {"int": 31, "long": 63}.get(kind)
        if bits:
            edge = self.random.choice([0, -1, 2**24 + 1, 2**bits - 1, -(2**bits)])
            wide = self.random.getrandbits(bits) >> self.random.randrange(bits)
            return self.random.choice([edge, wide, -wide])
        if kind == "float":
            return struct.unpack("<f", struct.pack("<f", self.random.gauss(0, 1e6)))[0]
        if kind == "double":
            return self.random.choice([self.random.gauss(0, 1e9), math.inf, -0.0, 5e-324])
        if kind == "boolean":
            return self.random.random() < 0.5
        if kind == "bytes":
            return self.random.choice([self.random.randbytes(4), b"abc", "é".encode(), b""])
        return None if kind == "null" else self._text()

    def _text(self) -> str:
        return "".join(
            self.random.choice("abc é漢\U0001f600\0") for _ in range(self.random.randrange(8))
        )

    def _decimal(self, kind: Kind) -> bytes:
        units = self.random.randrange(10 ** kind["precision"]) * self.random.choice([1, -1])
        size = kind.get("size") or units.bit_length() // 8 + 1
        return units.to_bytes(size, "big", signed=True)

    def _time(self, logical_type: str) -> int:
        if logical_type == "date":
            return self.random.choice([-719162, 2932896, 0, 20514])
        if logical_type.startswith("time-"):
            return self.random.randrange(
                86_400_000 if logical_type.endswith("millis") else 86_400_000_000
            )
        factor = {"millis": 1, "micros": 1000, "nanos": 1_000_000}[logical_type.rpartition("-")[2]]
        return self.random.choice([0, -1, 1772445600123, 4102444800000]) * factor
