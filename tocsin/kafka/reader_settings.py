"""The settings of a client that reads a topic from offsets of its own."""

from __future__ import annotations

import logging
from typing import Any

from tocsin.kafka.connection import Kafka

_DEFAULTS: dict[str, Any] = {
    "group.id": "tocsin",
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": False,
    "allow.auto.create.topics": False,
    "fetch.message.max.bytes": 4 * 2**20,
    "queued.max.messages.kbytes": 65536,
    # Prefetching is bounded by bytes: a bound on messages would starve small ones. More than this
    # leaves the processor's caches before it is read, at half the speed.
    "queued.min.messages": 40_000,
    "fetch.queue.backoff.ms": 20,
    "log_level": 3,
}


def reader_settings(kafka: Kafka) -> dict[str, Any]:
    """The cluster's settings over those of a reader; its log is `tocsin.kafka`.

    Raises:
        Failure: for a reference to a missing environment variable or an unreadable file.
    """
    return {**kafka.client_settings(**_DEFAULTS), "logger": logging.getLogger("tocsin.kafka")}
