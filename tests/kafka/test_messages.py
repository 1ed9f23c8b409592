"""Messages as columns, one decoder for many schemas, and what a rejected message says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.kernels.avro.fuzz import array, record
from tocsin.kafka.decoding import MessageDecoder, Messages
from tocsin.kernels.avro.types import arrow_fields, parse_schema
from tocsin.kernels.avro.wire import GUID_HEADER, GUID_SIZE, frame
from tocsin.kernels.batch import BEGINNING
from tocsin.parts.source import Fetched, Split

GUID = bytes(range(1, GUID_SIZE + 1))


class Message:
    """A message as the client gives it."""

    def __init__(self, offset: int, **given: Any) -> None:
        self._offset = offset
        self._given = given

    def key(self) -> bytes | None:
        """The key, if any."""
        return self._given.get("key")

    def value(self) -> bytes | None:
        """The value, if any."""
        return self._given.get("value")

    def offset(self) -> int:
        """The offset."""
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        """The kind of the time (0: none) and milliseconds."""
        found: tuple[int, int] = self._given.get("timestamp", (0, -1))
        return found

    def headers(self) -> Any:
        """The headers, if any."""
        return self._given.get("headers")


MESSAGES = [
    Message(5, key=b"k", value=b"v", timestamp=(1, 0)),
    Message(7, timestamp=(2, 1_772_409_600_123), headers=[("other", b"x")]),
    Message(8, value=b"", timestamp=(0, 77), headers=[(GUID_HEADER, GUID)]),
    Message(9, key=b"", timestamp=(1, -1), headers=[(GUID_HEADER, GUID[:-1])]),
]


def test_messages_become_columns() -> None:
    found = Messages.of(MESSAGES)
    assert len(found) == 4
    assert found.keys.to_pylist() == [b"k", None, None, b""]
    assert found.values.to_pylist() == [b"v", None, b"", None]
    assert found.offsets.tolist() == [5, 7, 8, 9]
    # A time without a kind, and -1, are no times.
    assert found.received.tolist() == [0, 1_772_409_600_123_000, BEGINNING, BEGINNING]
    assert found.guids is not None
    assert found.guids.tolist() == [[0] * 18, [0] * 18, [*GUID, 1], [0] * 18]


def test_messages_without_a_schema_guid_have_no_guids() -> None:
    assert Messages.of(MESSAGES[:1]).guids is None
    assert Messages.of(MESSAGES[:2]).guids is None
    assert Messages.of(MESSAGES[3:]).guids is None
    assert len(Messages.of([])) == 0


@pytest.mark.parametrize(
    ("stop", "count"), [(0, 0), (5, 0), (6, 1), (7, 1), (8, 2), (9, 3), (10, 4)]
)
@pytest.mark.parametrize("has_guids", [False, True])
def test_messages_before_an_offset(stop: int, count: int, has_guids: bool) -> None:
    whole = Messages.of(MESSAGES)
    if not has_guids:
        whole = Messages(whole.keys, whole.values, whole.offsets, whole.received)
    found = whole.before(stop)
    assert len(found) == len(found.keys) == len(found.values) == len(found.received) == count
    assert found.offsets.tolist() == [5, 7, 8, 9][:count]
    assert found.keys.to_pylist() == whole.keys.to_pylist()[:count]
    assert (found.guids is not None) is has_guids
    if found.guids is not None:
        assert len(found.guids) == count


ONE = record("R", ("x", "long"), ("y", "long"))
# The same record with its fields in the other order: another writer's schema.
OTHER = record("R", ("y", "long"), ("x", "long"))
LISTS = record("G", ("gateway", "long"), ("readings", array(record("S", ("x", "long")))))


def zigzag(*numbers: int) -> bytes:
    """Small numbers from 0 in Avro."""
    return bytes(2 * number for number in numbers)


def decoder(schema: Any, form: Any, readings: str | None = None, **writers: Any) -> MessageDecoder:
    fields = pa.schema(arrow_fields(parse_schema(schema)))
    if readings:
        rest = [field for field in fields if field.name != readings]
        fields = pa.schema([*rest, *fields.field(readings).type.value_type])
    known = {int(name[1:]): json.dumps(text) for name, text in writers.items()}
    text = json.dumps(schema)
    return MessageDecoder("t", text, form, known or {1: text}, None, readings, fields)


def decode(one: MessageDecoder, values: list[bytes | None]) -> Fetched:
    count = len(values)
    keys = pa.array([b"k%d" % at for at in range(count)], pa.large_binary())
    received = np.array([BEGINNING, 0, *range(3, count + 3)])[:count]
    messages = Messages(keys, pa.array(values, pa.large_binary()), 100 + np.arange(count), received)
    return one.decode(messages, Split("t", 3, 100, None), 100 + count)


def test_messages_of_several_schemas_stay_in_the_order_of_offsets() -> None:
    both = decoder(ONE, "confluent", s1=ONE, s2=OTHER)
    values = [frame(1 + at % 2, zigzag(at, 10 + at)) for at in range(5)]
    found = decode(both, values)
    pairs = [(at, 10 + at) if at % 2 == 0 else (10 + at, at) for at in range(5)]
    rows = zip(*(found.batch.column(name).to_pylist() for name in ("x", "y")), strict=True)
    assert list(rows) == pairs
    assert found.offsets.tolist() == [100, 101, 102, 103, 104]
    assert found.index.tolist() == [0] * 5
    assert found.received.tolist() == [BEGINNING, 0, 3, 4, 5]
    assert (found.position, found.messages, found.rejected) == (105, 5, [])
    assert [found.original(row) for row in (0, 4)] == [(b"k0", values[0]), (b"k4", values[4])]


def test_no_message_gives_no_row() -> None:
    for values in ([], [None, None]):
        found = decode(decoder(ONE, "avro"), list(values))
        assert found.batch.num_rows == len(found.offsets) == len(found.index) == 0
        assert len(found.received) == 0
        assert len(found.rejected) == found.messages == len(values)


@pytest.mark.parametrize("form", ["avro", "json"])
def test_readings_of_a_list_are_counted_in_their_message(form: str) -> None:
    lists = [[4, 5], [], [6], [7, 8, 9]]
    if form == "json":
        values = [
            json.dumps({"gateway": at, "readings": [{"x": x} for x in xs]}).encode()
            for at, xs in enumerate(lists)
        ]
    else:
        values = [
            zigzag(at, len(xs), *xs, 0) if xs else zigzag(at, 0) for at, xs in enumerate(lists)
        ]
    found = decode(decoder(LISTS, form, "readings"), list(values))
    assert found.batch.column("x").to_pylist() == [4, 5, 6, 7, 8, 9]
    assert found.batch.column("gateway").to_pylist() == [0, 0, 2, 3, 3, 3]
    assert found.offsets.tolist() == [100, 100, 102, 103, 103, 103]
    assert found.index.tolist() == [0, 1, 0, 0, 1, 2]
    assert found.rejected == []


def test_a_rejected_message_says_where_it_was_and_why() -> None:
    bad = frame(9, zigzag(1, 2))
    found = decode(decoder(ONE, "confluent"), [bad, bad[:-1] + b"\xff", frame(1, zigzag(3, 4))])
    assert found.offsets.tolist() == [102]
    assert found.rejected == [
        {
            "topic": "t",
            "partition": 3,
            "offset": 100 + at,
            "index": None,
            # The first message has no time; that of the second is the first of 1970.
            "timestamp": [None, 0][at],
            "key": b"k%d" % at,
            "value": [bad, bad[:-1] + b"\xff"][at],
            "step": "ReadTelemetry",
            "reason": "unreadable",
            "message": "unknown schema id:9 (known: id:1)",
        }
        for at in range(2)
    ]


class Registry:
    """A registry that knows a schema from the second request on."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def schemas(self, topic: str) -> dict[str, str]:
        """The schemas by key."""
        self.asked.append(topic)
        return {"id:2": json.dumps(OTHER)} if len(self.asked) > 1 else {}


def test_a_registry_is_asked_again_for_an_unknown_schema_only() -> None:
    one, registry = decoder(ONE, "confluent"), Registry()
    one.registry = registry  # type: ignore[assignment]
    value: list[bytes | None] = [frame(2, zigzag(1, 5))]
    assert [reject["offset"] for reject in decode(one, value).rejected] == [100]
    assert decode(one, value).batch.column("x").to_pylist() == [5]
    decode(one, [*value, frame(1, zigzag(1, 5))])
    assert registry.asked == ["t", "t"]


def test_a_schema_that_does_not_fit_rejects_its_messages() -> None:
    text = record("R", ("x", "string"), ("y", "long"))
    one = decoder(ONE, "confluent", s1=ONE, s2=text)
    found = decode(one, [frame(2, zigzag(0, 1)), frame(1, zigzag(0, 1)), frame(2, zigzag(0, 1))])
    assert found.offsets.tolist() == [101]
    messages = [reject["message"] for reject in found.rejected]
    assert [reject["offset"] for reject in found.rejected] == [100, 102]
    assert messages[0] == messages[1]
    assert messages[0].startswith("schema id:2 does not fit: ")
