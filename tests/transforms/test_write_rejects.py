"""Dead letters carry the original bytes, and headers that lead back to the message."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from tocsin.transforms.write.write_rejects import headers

from tocsin.parts.registry import find

ROW: dict[str, Any] = {
    "topic": "city.air", "partition": 3, "offset": 1234, "key": b"air-1", "value": b"hello",
    "step": "ReadTelemetry", "reason": "unreadable", "message": "not in Confluent framing",
}  # fmt: skip


def test_headers_are_those_of_kafka_connect() -> None:
    assert headers(ROW) == [
        ("__connect.errors.topic", b"city.air"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"1234"),
        ("__connect.errors.connector.name", b"tocsin"),
        ("__connect.errors.task.id", b"0"),
        ("__connect.errors.stage", b"VALUE_CONVERTER"),
        ("__connect.errors.class.name", b"ReadTelemetry"),
        ("__connect.errors.exception.class.name", b"unreadable"),
        ("__connect.errors.exception.message", b"not in Confluent framing"),
        ("__connect.errors.exception.stacktrace", b""),
    ]


@pytest.mark.parametrize("reason", ["from_the_future", "out_of_range"])
def test_a_reading_that_a_step_refuses_failed_in_a_transformation(reason: str) -> None:
    found = dict(headers({**ROW, "reason": reason}))
    assert found["__connect.errors.stage"] == b"TRANSFORMATION"


def test_what_is_not_known_has_no_header() -> None:
    found = dict(headers({**ROW, "partition": None, "offset": None}))
    assert not {"__connect.errors.partition", "__connect.errors.offset"} & set(found)


def test_a_reject_is_a_message_with_its_bytes(kafka: Any, receive: Any) -> None:
    kafka.create("city.rejects")
    sink = find("write", "write_rejects")(topic="city.rejects", kafka={"brokers": kafka.brokers})
    rows = [ROW, {**ROW, "offset": 1235, "key": None}]
    sink.write(pa.RecordBatch.from_pylist(rows), "0")
    sink.flush()
    offset = "__connect.errors.offset"
    found = sorted(
        receive("city.rejects"), key=lambda message: int(dict(message.headers())[offset])
    )
    assert [(message.key(), message.value()) for message in found] == [
        (b"air-1", b"hello"),
        (None, b"hello"),
    ]
    assert [message.headers() for message in found] == [headers(row) for row in rows]
