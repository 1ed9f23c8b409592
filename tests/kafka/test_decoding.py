"""Any bytes in a topic become readings or rejects with offset and reason."""

from __future__ import annotations

import json
import random
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest

from tests.kernels.avro.fuzz import MILLIS, Datums, array, record
from tocsin.kafka.decoding import MessageDecoder, Messages
from tocsin.kernels.avro.types import arrow_fields, parse_schema
from tocsin.kernels.avro.wire import fingerprint_key, frame, unframe
from tocsin.parts.source import Fetched, Split

POINT = record("P", ("x", "double"))
READING = record("R", ("id", "string"), ("at", MILLIS), ("a", POINT), ("b", "P"))
GATEWAY = record("G", ("gateway", "string"), ("readings", array(READING)))


def decoder(form: Literal["confluent", "avro", "json"], schema: Any, **more: Any) -> MessageDecoder:
    text = json.dumps(schema)
    fields = pa.schema(arrow_fields(parse_schema(schema)))
    readings = more.get("readings")
    if readings:
        others = [field for field in fields if field.name != readings]
        fields = pa.schema([*others, *fields.field(readings).type.value_type])
    return MessageDecoder("t", text, form, {1: text}, None, readings, fields)


def decode(one: MessageDecoder, values: list[bytes | None]) -> Fetched:
    count = len(values)
    nothing = pa.array([None] * count, pa.large_binary())
    messages = Messages(
        nothing,
        pa.array(values, pa.large_binary()),
        np.arange(100, 100 + count),
        np.zeros(count, int),
    )
    return one.decode(messages, Split("t", 3, 100, None), 100 + count)


@pytest.mark.parametrize("form", ["confluent", "avro", "json"])
@pytest.mark.parametrize("readings", [None, "readings"])
def test_every_message_is_read_or_rejected(form: Any, readings: str | None) -> None:
    schema = GATEWAY if readings else READING
    datums, rand = Datums(schema, seed=4), random.Random(4)
    values: list[bytes | None] = [None, b"", b"\x00", b"{", b"\xc3\x01"]
    for _ in range(150):
        made = datums.valid() if rand.random() < 0.5 else datums.damaged()
        way = rand.randrange(8) if form == "confluent" else 7
        values.append(frame(1 if way else 9, made) if way < 7 else made)
    fetched = decode(decoder(form, schema, readings=readings), values)
    rejected = {reject["offset"]: reject for reject in fetched.rejected}
    for offset, reject in rejected.items():
        assert (reject["topic"], reject["partition"]) == ("t", 3)
        assert reject["value"] == values[offset - 100]
        assert reject["message"]
    read = set(fetched.offsets.tolist())
    assert not read & set(rejected)
    if readings is None:
        assert read | set(rejected) == set(range(100, 100 + len(values)))
    if form != "json":
        assert len(read) > 20
    fetched.batch.validate(full=True)


def test_a_named_type_used_twice_has_a_fingerprint() -> None:
    key = fingerprint_key(READING)
    value = Datums(READING, seed=1).valid()
    mark = int(key.partition(":")[2], 16).to_bytes(8, "big")
    fetched = decode(decoder("confluent", READING), [b"\xc3\x01" + mark + value])
    assert fetched.rejected == []
    assert fetched.batch.num_rows == 1
    assert unframe(pa.array([b"\xc3\x01" + mark], pa.large_binary())).groups[0].key == key
