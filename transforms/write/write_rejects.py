"""Rejected messages and readings to a dead-letter topic."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa
from pydantic import PrivateAttr

from tocsin.api.sink import Kafka, Param, Producer, Sink, TopicName


class WriteRejects(Sink):
    """Writes rejects with their original bytes and the error headers of Kafka Connect.

    A retried bundle may write a reject again; `__connect.errors.partition` and `.offset` identify
    it.
    """

    in_a_job = {"input": "ReadTelemetry.rejects", "config": {"topic": "city.rejects"}}

    takes: ClassVar[tuple[str, ...]] = (
        "topic",
        "partition",
        "offset",
        "value",
        "reason",
        "message",
    )
    topic: TopicName = Param(help="topic name")
    kafka: Kafka = Param(Kafka(), help="cluster and client settings")

    _producer: Producer | None = PrivateAttr(None)

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        if self._producer is None:
            self._producer = Producer(self.kafka)
        for row in batch.to_pylist():  # each is a message of its own
            self._producer.send(self.topic, row["key"], row["value"], headers(row))

    def flush(self) -> None:
        if self._producer is not None:
            self._producer.flush()


def headers(row: dict[str, Any]) -> list[tuple[str, bytes]]:
    """The headers of a dead letter: where it came from, which step refused it and why."""
    values = {
        "__connect.errors.topic": row["topic"],
        "__connect.errors.partition": row["partition"],
        "__connect.errors.offset": row["offset"],
        "__connect.errors.connector.name": "tocsin",
        "__connect.errors.task.id": 0,
        "__connect.errors.stage": "VALUE_CONVERTER"
        if row["reason"] == "unreadable"
        else "TRANSFORMATION",
        "__connect.errors.class.name": row["step"],
        "__connect.errors.exception.class.name": row["reason"],
        "__connect.errors.exception.message": row["message"],
        "__connect.errors.exception.stacktrace": "",
    }
    return [(name, str(value).encode()) for name, value in values.items() if value is not None]
