"""The columnar consumer gives the messages that confluent-kafka gives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import KafkaError, Producer

from tocsin.foundation.failure import Failure
from tocsin.kafka import consumer as module
from tocsin.kafka.connection import Kafka
from tocsin.kafka.consumer import library, partition_consumer
from tocsin.kafka.decoding import Messages
from tocsin.kafka.producer import Producer as Producing
from tocsin.kernels.avro.wire import GUID_HEADER
from tocsin.simulator.embedded_kafka import EmbeddedKafka

GUID = b"\x01" + bytes(range(16))
SENT: list[dict[str, Any]] = [
    {"value": b"one", "key": b"k", "timestamp": 1_700_000_000_000},
    {"value": None, "key": b""},
    {"value": b"", "headers": {"other": b"x"}},
    {"value": b"bare", "headers": [("other", b"x"), (GUID_HEADER, GUID)]},
    {"value": b"odd", "headers": {GUID_HEADER: b"too short"}},
    *({"value": bytes([n]) * n, "timestamp": 1_700_000_000_000 + n} for n in range(1, 200)),
]


@pytest.fixture
def brokers() -> Iterator[str]:
    with EmbeddedKafka() as kafka:
        producer = Producer({"bootstrap.servers": kafka.brokers})
        for message in SENT:
            producer.produce("t", partition=0, **message)
        producer.flush()
        yield kafka.brokers


def settings(brokers: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": brokers,
        "group.id": "g",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "log_level": 0,
    }


def read(consumer: Any, start: int, count: int) -> Messages:
    consumer.assign("t", 0, start)
    found: list[Messages] = []
    until = time.monotonic() + 20
    while sum(map(len, found)) < count and time.monotonic() < until:
        messages, faults = consumer.consume(7, 0.2)
        assert not faults
        found.append(messages)
    guids = [np.zeros((len(m), 18), np.uint8) if m.guids is None else m.guids for m in found]
    return Messages(
        pa.concat_arrays([m.keys for m in found]),
        pa.concat_arrays([m.values for m in found]),
        np.concatenate([m.offsets for m in found]),
        np.concatenate([m.received for m in found]),
        np.concatenate(guids),
    )


@pytest.mark.parametrize("start", [0, 3, 150])
def test_both_consumers_give_equal_messages(brokers: str, start: int) -> None:
    assert library() is not None, "the wheel's library is found"
    ours, theirs = partition_consumer(settings(brokers)), module.PlainConsumer(settings(brokers))
    mine, oracle = read(ours, start, len(SENT) - start), read(theirs, start, len(SENT) - start)
    assert (
        mine.values.to_pylist() == oracle.values.to_pylist() == [m["value"] for m in SENT[start:]]
    )
    assert mine.keys.to_pylist() == oracle.keys.to_pylist()
    for name in ("offsets", "received", "guids"):
        assert np.array_equal(getattr(mine, name), getattr(oracle, name)), name
    assert ours.position() == theirs.position() == len(SENT)
    assert ours.end() == theirs.end() == len(SENT)


def test_reading_continues_at_the_assigned_offset(brokers: str) -> None:
    ours = partition_consumer(settings(brokers))
    assert read(ours, 100, 10).offsets[0] == 100
    assert read(ours, 5, 10).offsets[0] == 5


def test_an_offset_out_of_range_is_an_error(brokers: str) -> None:
    for one in (partition_consumer(settings(brokers)), module.PlainConsumer(settings(brokers))):
        one.assign("t", 0, 10_000)
        faults: list[tuple[int, str]] = []
        until = time.monotonic() + 20
        while not faults and time.monotonic() < until:
            messages, faults = one.consume(10, 0.2)
            assert not len(messages)
        assert faults[0][0] in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
        assert faults[0][1]


def test_invalid_settings_are_reported() -> None:
    for one in (partition_consumer, module.PlainConsumer):
        with pytest.raises(Failure, match="Kafka settings refused: No such configuration property"):
            one({"bootstrap.servers": "x", "group.id": "g", "no.such.setting": "1"})


def test_the_plain_consumer_is_used_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "library", lambda: None)
    assert isinstance(
        partition_consumer({"bootstrap.servers": "x", "group.id": "g"}), module.PlainConsumer
    )


def test_the_first_message_that_was_not_delivered_is_reported(brokers: str) -> None:
    producer = Producing(Kafka(brokers=brokers))
    delivered = [
        None,
        KafkaError(KafkaError.MSG_SIZE_TOO_LARGE),
        KafkaError(KafkaError._MSG_TIMED_OUT),
    ]
    for error, topic in zip(delivered, ("good", "first", "second"), strict=True):
        producer._delivered(error, mock.Mock(topic=lambda name=topic: name))
    with pytest.raises(Failure, match="cannot write to the topic 'first'"):
        producer.flush()
    producer.flush()
