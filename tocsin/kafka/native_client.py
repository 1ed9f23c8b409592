"""librdkafka through its public C interface: the library of confluent-kafka's wheel."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

from tocsin.foundation.failure import Failure

_CONSUMER = 1
_NO_CLOSE = 8


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
        ("rd_kafka_incremental_assign", pointer, [pointer, pointer]),
        ("rd_kafka_incremental_unassign", pointer, [pointer, pointer]),
        ("rd_kafka_error_string", text, [pointer]),
        ("rd_kafka_error_destroy", None, [pointer]),
        ("rd_kafka_queue_get_partition", pointer, [pointer, text, ctypes.c_int32]),
        ("rd_kafka_queue_forward", None, [pointer, pointer]),
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


class Client:
    """A consumer's handle; closed with its last reference.

    Raises:
        Failure: for invalid settings.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        loaded = library()
        assert loaded is not None
        self.library = loaded
        why = ctypes.create_string_buffer(512)
        configuration = loaded.rd_kafka_conf_new()
        for name, value in settings.items():
            written = str(value).lower() if isinstance(value, bool) else str(value)
            if loaded.rd_kafka_conf_set(
                configuration, name.encode(), written.encode(), why, len(why)
            ):
                raise Failure(f"Kafka settings refused: {why.value.decode()}")
        self.handle = loaded.rd_kafka_new(_CONSUMER, configuration, why, len(why))
        if not self.handle:
            raise Failure(f"Kafka settings refused: {why.value.decode()}")
        # Errors of the client arrive in the same queue.
        loaded.rd_kafka_poll_set_consumer(self.handle)
        self.queue = loaded.rd_kafka_queue_get_consumer(self.handle)

    def __del__(self) -> None:
        if getattr(self, "queue", None):
            self.library.rd_kafka_queue_destroy(self.queue)
            self.library.rd_kafka_destroy_flags(self.handle, _NO_CLOSE)
