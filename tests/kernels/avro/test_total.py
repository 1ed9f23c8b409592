"""Any bytes give rows or faults: in every schema, on every path, alone as in company.

TOCSIN_FUZZ sets the number of messages; `make fuzz` sets it to 120,000.
"""

from __future__ import annotations

import io
import os
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import fastavro
import numpy as np
import pytest

from tests.kernels.avro.fuzz import Datums, pairs
from tocsin.kernels.avro.byte_strings import ByteStrings
from tocsin.kernels.avro.decode import Decoder
from tocsin.kernels.avro.program import Program
from tocsin.kernels.avro.records import Records
from tocsin.kernels.avro.total import Decoded
from tocsin.kernels.avro.types import parse_schema

PAIRS = pairs()
MESSAGES = max(int(os.environ.get("TOCSIN_FUZZ", "5000")) // len(PAIRS), 20)
ALONE = 25
_EPOCH = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))


def fates(decoded: Decoded, count: int) -> list[Any]:
    """The row or the reason of each message. Asserts that each has exactly one."""
    decoded.batch.validate(full=True)
    reasons = dict(decoded.faults)
    assert len(reasons) == len(decoded.faults)
    assert sorted([*reasons, *decoded.rows.tolist()]) == list(range(count))
    rows = dict(zip(decoded.rows.tolist(), decoded.batch.to_pylist(), strict=True))
    return [repr(rows[at]) if at in rows else reasons[at] for at in range(count)]


@pytest.mark.parametrize("name", PAIRS)
def test_every_message_is_a_row_or_a_fault_whatever_its_neighbours(name: str) -> None:
    writer, reader = PAIRS[name]
    datums = Datums(writer, seed=len(name) + MESSAGES)
    half = MESSAGES // 2
    values = [datums.valid() for _ in range(half)]
    values += [datums.damaged() for _ in range(MESSAGES - half)]
    order = np.random.default_rng(1).permutation(len(values))
    decoder = Decoder(writer, reader)
    together = fates(decoder.decode(ByteStrings.of(values)), len(values))

    shuffled = fates(decoder.decode(ByteStrings.of([values[at] for at in order])), len(values))
    assert shuffled == [together[at] for at in order]
    for at in order[:ALONE]:
        assert fates(decoder.decode(ByteStrings.of([values[at]])), 1) == [together[at]]
    walked = Decoder(writer, reader, by="walk").decode(ByteStrings.of(values))
    assert fates(walked, len(values)) == together


@pytest.mark.parametrize("name", [name for name in PAIRS if PAIRS[name][0] == PAIRS[name][1]])
def test_rows_hold_what_fastavro_reads(name: str) -> None:
    writer, _ = PAIRS[name]
    datums = Datums(writer, seed=7)
    half = MESSAGES // 2
    values = [datums.valid() for _ in range(half)]
    values += [datums.damaged() for _ in range(MESSAGES - half)]
    decoded = Decoder(writer, writer).decode(ByteStrings.of(values))
    assert decoded.rows[:half].tolist() == list(range(half)), decoded.faults[:1]
    for at, row in zip(decoded.rows.tolist(), decoded.batch.to_pylist(), strict=True):
        raw = fastavro.schemaless_reader(io.BytesIO(values[at]), datums.parsed, None)
        wanted = flat("", parse_schema(writer), raw)
        assert repr(row) == repr(wanted), values[at]


def flat(path: str, schema: Any, value: Any) -> dict[str, Any]:
    """A record's columns."""
    found: dict[str, Any] = {}
    for field in schema["fields"]:
        name = f"{path}_{field['name']}" if path else field["name"]
        kind, inner = field["type"], None if value is None else value[field["name"]]
        record = next(
            (k for k in (kind if isinstance(kind, list) else [kind]) if is_record(k)), None
        )
        found |= flat(name, record, inner) if record else {name: meaning(kind, inner)}
    return found


def is_record(kind: Any) -> bool:
    return isinstance(kind, dict) and kind["type"] == "record"


def meaning(kind: Any, value: Any) -> Any:
    """A number or bytes as the value of its logical type."""
    if value is None:
        return None
    if isinstance(kind, list):
        numbers = [one for one in kind if one != "null"]
        return float(value) if "double" in numbers else meaning(numbers[0], value)
    if not isinstance(kind, dict):
        return value
    if kind["type"] == "array":
        return [meaning(kind["items"], item) for item in value]
    if kind["type"] == "map":
        return [(key, meaning(kind["values"], item)) for key, item in value.items()]
    if kind["type"] == "record":
        return {f["name"]: meaning(f["type"], value[f["name"]]) for f in kind["fields"]}
    logical = kind.get("logicalType", "")
    if logical == "decimal":
        units = int.from_bytes(value, "big", signed=True)
        return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -kind["scale"]))
    if logical == "date":
        return date(1970, 1, 1) + timedelta(days=value)
    unit = logical.rpartition("-")[2]
    if unit in ("millis", "micros", "nanos"):
        micros = value * 1000 if unit == "millis" else value if unit == "micros" else value // 1000
        found = _EPOCH + timedelta(microseconds=micros)
        if logical.startswith("time-"):
            return time(found.hour, found.minute, found.second, found.microsecond)
        return found.replace(tzinfo=None) if logical.startswith("local") else found
    return value


def test_plain_records_take_their_own_loop() -> None:
    loops = {name: Records.of(Program.of(parse_schema(w))) for name, (w, _) in PAIRS.items()}
    assert sum(loop is not None for loop in loops.values()) > 15
    assert loops["array_of_doubles"] is None
