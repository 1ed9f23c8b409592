"""Messages of one partition as columns, read from librdkafka without a Python object each.

The library is the one in confluent-kafka's wheel, used through its public C interface. If the wheel
has none (a client built from source), confluent-kafka's consumer gives the same messages, slower.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from typing_extensions import override

from tocsin.foundation.failure import Failure
from tocsin.kafka.decoding import Messages
from tocsin.kernels.avro.wire import GUID_HEADER

_CONSUMER = 1
_NO_CLOSE = 8


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
    plain = {
        name: value
        for name, value in settings.items()
        if not callable(value) and name not in ("logger", "log_level")
    }
    return (
        ColumnarConsumer({**plain, "log_level": 0})
        if library() is not None
        else PlainConsumer(settings)
    )


@cache
def library() -> ctypes.CDLL | None:
    """The librdkafka in confluent-kafka's wheel, with typed functions, or None."""
    import confluent_kafka

    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    found = sorted(folder.glob("librdkafka-*.so*"))
    if len(found) != 1:
        return None
    loaded = ctypes.CDLL(str(found[0]))
    text, pointer, word = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", ctypes.c_int, [pointer, text, text, text, ctypes.c_size_t]),
        ("rd_kafka_new", pointer, [ctypes.c_int, pointer, text, ctypes.c_size_t]),
        ("rd_kafka_poll_set_consumer", ctypes.c_int, [pointer]),
        ("rd_kafka_queue_get_consumer", pointer, [pointer]),
        ("rd_kafka_queue_destroy", None, [pointer]),
        ("rd_kafka_topic_partition_list_new", pointer, [ctypes.c_int]),
        ("rd_kafka_topic_partition_list_add", pointer, [pointer, text, ctypes.c_int32]),
        (
            "rd_kafka_topic_partition_list_set_offset",
            ctypes.c_int,
            [pointer, text, ctypes.c_int32, word],
        ),
        ("rd_kafka_topic_partition_list_destroy", None, [pointer]),
        ("rd_kafka_assign", ctypes.c_int, [pointer, pointer]),
        ("rd_kafka_position", ctypes.c_int, [pointer, pointer]),
        (
            "rd_kafka_consume_batch_queue",
            ctypes.c_ssize_t,
            [pointer, ctypes.c_int, pointer, ctypes.c_size_t],
        ),
        (
            "rd_kafka_get_watermark_offsets",
            ctypes.c_int,
            [pointer, text, ctypes.c_int32, pointer, pointer],
        ),
        ("rd_kafka_message_errstr", text, [pointer]),
        ("rd_kafka_message_destroy", None, [pointer]),
        ("rd_kafka_err2str", text, [ctypes.c_int]),
        ("rd_kafka_destroy_flags", None, [pointer, ctypes.c_int]),
    ):
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


class _Partition(ctypes.Structure):
    """The head of rd_kafka_topic_partition_t."""

    _fields_ = (
        ("topic", ctypes.c_char_p),
        ("partition", ctypes.c_int32),
        ("offset", ctypes.c_int64),
    )


class ColumnarConsumer(PartitionConsumer):
    """The consumer that calls librdkafka directly and creates no object for each message."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from tocsin.kafka import librdkafka

        loaded = library()
        assert loaded is not None
        self._library, self._kernels = loaded, librdkafka
        self._name = ctypes.create_string_buffer(GUID_HEADER.encode())
        names = (
            "rd_kafka_message_timestamp",
            "rd_kafka_message_headers",
            "rd_kafka_header_get_last",
            "rd_kafka_message_destroy",
        )
        addresses = [ctypes.cast(getattr(loaded, name), ctypes.c_void_p).value for name in names]
        self._functions = np.array(addresses, np.int64)
        why = ctypes.create_string_buffer(512)
        configuration = loaded.rd_kafka_conf_new()
        for name, value in settings.items():
            written = str(value).lower() if isinstance(value, bool) else str(value)
            if loaded.rd_kafka_conf_set(
                configuration, name.encode(), written.encode(), why, len(why)
            ):
                raise Failure(f"Kafka settings refused: {why.value.decode()}")
        self._handle = loaded.rd_kafka_new(_CONSUMER, configuration, why, len(why))
        if not self._handle:
            raise Failure(f"Kafka settings refused: {why.value.decode()}")
        # Errors of the client arrive in the same queue.
        loaded.rd_kafka_poll_set_consumer(self._handle)
        self._queue = loaded.rd_kafka_queue_get_consumer(self._handle)
        self._messages = np.zeros(0, np.int64)
        self._place = ("", 0)

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.rd_kafka_queue_destroy(self._queue)
            self._library.rd_kafka_destroy_flags(self._handle, _NO_CLOSE)

    @override
    def assign(self, topic: str, partition: int, offset: int) -> None:
        self._place = (topic, partition)
        places = self._places()
        self._library.rd_kafka_topic_partition_list_set_offset(
            places, topic.encode(), partition, offset
        )
        code = self._library.rd_kafka_assign(self._handle, places)
        self._library.rd_kafka_topic_partition_list_destroy(places)
        if code:
            raise Failure(f"{topic}:{partition}: {self._library.rd_kafka_err2str(code).decode()}")

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
        faults = self._faults(count) if faulty else []
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

    def _faults(self, count: int) -> list[tuple[int, str]]:
        found = []
        for message in self._messages[:count].tolist():
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
