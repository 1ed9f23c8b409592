"""Messages of one partition as columns, read from librdkafka without a Python object each.

The library is the one in confluent-kafka's wheel, used through its public C interface. If the wheel
has none (a client built from source), confluent-kafka's consumer gives the same messages, slower.
"""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from typing_extensions import override

from tocsin.foundation.failure import Failure
from tocsin.kafka.decoding import Messages
from tocsin.kafka.native_client import Client, library
from tocsin.kernels.avro.wire import GUID_HEADER
from tocsin.kernels.batch import Int64s


class PartitionConsumer(Protocol):
    """A consumer that reads one partition from an offset."""

    def assign(self, topic: str, partition: int, offset: int) -> None:
        """Continue at that offset. Prefetched messages are dropped."""

    def consume(self, most: int, wait: float) -> tuple[Messages, list[tuple[int, str]]]:
        """Messages and errors (librdkafka's code, text).

        Args:
            most: the greatest number of messages.
            wait: the longest time to wait, seconds.

        Raises:
            Failure: if the client cannot read.
        """

    def end(self) -> int | None:
        """The last known end of the partition, or None. Asks no broker."""

    def position(self) -> int | None:
        """The offset after the last message read, control messages included, or None."""


def partition_consumer(settings: dict[str, Any]) -> PartitionConsumer:
    """A consumer with librdkafka's settings.

    Raises:
        Failure: for invalid settings.
    """
    if library() is None:
        return PlainConsumer(settings)
    return ColumnarConsumer(Client(plain_settings(settings)))


def plain_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that the C interface takes: no callbacks, no loggers."""
    plain = {
        name: value
        for name, value in settings.items()
        if not callable(value) and name not in ("logger", "log_level")
    }
    return {**plain, "log_level": 0}


class _Partition(ctypes.Structure):
    """The head of rd_kafka_topic_partition_t."""

    _fields_ = (
        ("topic", ctypes.c_char_p),
        ("partition", ctypes.c_int32),
        ("offset", ctypes.c_int64),
    )


class ColumnarConsumer(PartitionConsumer):
    """The consumer that calls librdkafka directly and creates no object for each message."""

    def __init__(self, client: Client) -> None:
        from tocsin.kafka import librdkafka

        loaded = client.library
        self._client, self._library, self._kernels = client, loaded, librdkafka
        self._handle, self._queue = client.handle, client.queue
        self._name = ctypes.create_string_buffer(GUID_HEADER.encode())
        names = (
            "rd_kafka_message_timestamp",
            "rd_kafka_message_headers",
            "rd_kafka_header_get_last",
            "rd_kafka_message_destroy",
        )
        addresses = [ctypes.cast(getattr(loaded, name), ctypes.c_void_p).value for name in names]
        self._functions = np.array(addresses, np.int64)
        self._messages = np.zeros(0, np.int64)
        self._place = ("", 0)

    @override
    def assign(self, topic: str, partition: int, offset: int) -> None:
        self._place = (topic, partition)
        places = self._places()
        self._library.rd_kafka_topic_partition_list_set_offset(
            places, topic.encode(), partition, offset
        )
        why = self._assign(places)
        self._library.rd_kafka_topic_partition_list_destroy(places)
        if why:
            raise Failure(f"{topic}:{partition}: {why}")

    def _assign(self, places: Any) -> str:
        """Read these places and no others. Returns why not, or ''."""
        code = self._library.rd_kafka_assign(self._handle, places)
        return self._library.rd_kafka_err2str(code).decode() if code else ""

    def _places(self) -> Any:
        places = self._library.rd_kafka_topic_partition_list_new(1)
        self._first = self._library.rd_kafka_topic_partition_list_add(
            places, self._place[0].encode(), self._place[1]
        )
        return places

    @override
    def consume(self, most: int, wait: float) -> tuple[Messages, list[tuple[int, str]]]:
        if len(self._messages) < most:
            self._messages = np.zeros(most, np.int64)
        pointers = self._messages.ctypes.data
        count = self._library.rd_kafka_consume_batch_queue(
            self._queue, int(wait * 1000), pointers, most
        )
        if count < 0:
            raise Failure(
                f"{self._place[0]}:{self._place[1]}: the client has no queue to read from"
            )
        payloads, keys, faulty = self._kernels.sizes(self._messages, count)
        faults = self._faults(self._messages[:count]) if faulty else []
        good = count - faulty
        values, key_bytes = np.empty(payloads, np.uint8), np.empty(keys, np.uint8)
        ends, key_ends = np.zeros(good + 1, np.int64), np.zeros(good + 1, np.int64)
        nulls, key_nulls = np.zeros(good, np.bool_), np.zeros(good, np.bool_)
        offsets, times = np.empty(good, np.int64), np.empty(good, np.int64)
        guids = np.zeros((good, self._kernels.GUID + 1), np.uint8)
        any_guid = self._kernels.take(
            self._messages,
            count,
            self._functions,
            ctypes.addressof(self._name),
            values,
            ends[1:],
            nulls,
            key_bytes,
            key_ends[1:],
            key_nulls,
            offsets,
            times,
            guids,
        )
        messages = Messages(
            _binary(key_bytes, key_ends, key_nulls),
            _binary(values, ends, nulls),
            offsets,
            Messages.micros(times),
            guids if any_guid else None,
        )
        return messages, faults

    def _faults(self, messages: Int64s) -> list[tuple[int, str]]:
        found = []
        for message in messages.tolist():
            code = ctypes.c_int32.from_address(message).value
            if code:
                text = self._library.rd_kafka_message_errstr(message)
                found.append(
                    (code, (text or self._library.rd_kafka_err2str(code)).decode(errors="replace"))
                )
                self._library.rd_kafka_message_destroy(message)
        return found

    @override
    def end(self) -> int | None:
        low, high = ctypes.c_int64(), ctypes.c_int64()
        place = (self._handle, self._place[0].encode(), self._place[1])
        code = self._library.rd_kafka_get_watermark_offsets(
            *place, ctypes.byref(low), ctypes.byref(high)
        )
        return high.value if code == 0 and high.value >= 0 else None

    @override
    def position(self) -> int | None:
        places = self._places()
        code = self._library.rd_kafka_position(self._handle, places)
        offset: int = _Partition.from_address(self._first).offset
        self._library.rd_kafka_topic_partition_list_destroy(places)
        return offset if code == 0 and offset >= 0 else None


def _binary(data: Any, ends: Any, nulls: Any) -> pa.LargeBinaryArray:
    valid = pa.py_buffer(np.packbits(~nulls, bitorder="little").tobytes()) if nulls.any() else None
    return pa.Array.from_buffers(
        pa.large_binary(), len(nulls), [valid, pa.py_buffer(ends), pa.py_buffer(data)]
    )


class PlainConsumer(PartitionConsumer):
    """The consumer of confluent-kafka: the fallback, and the oracle of tests."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from confluent_kafka import Consumer, KafkaException

        try:
            self._consumer = Consumer(settings)
        except KafkaException as error:
            raise Failure(f"Kafka settings refused: {error.args[0].str()}") from None
        self._place: Any = None

    @override
    def assign(self, topic: str, partition: int, offset: int) -> None:
        from confluent_kafka import TopicPartition

        self._place = TopicPartition(topic, partition, offset)
        self._consumer.assign([self._place])

    @override
    def consume(self, most: int, wait: float) -> tuple[Messages, list[tuple[int, str]]]:
        found = self._consumer.consume(most, timeout=wait)
        faults = [(m.error().code(), m.error().str()) for m in found if m.error() is not None]
        return Messages.of([m for m in found if m.error() is None] if faults else found), faults

    @override
    def end(self) -> int | None:
        _, high = self._consumer.get_watermark_offsets(self._place, cached=True)
        return high if high >= 0 else None

    @override
    def position(self) -> int | None:
        offset = self._consumer.position([self._place])[0].offset
        return offset if offset >= 0 else None
