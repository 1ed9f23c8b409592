"""Consumers of many partitions: a client each for the first ones, few shared clients for the rest.

A client has a thread for each broker and buffers of its own. A client for each of 200 partitions
costs 808 threads and 306 MB before the first message.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from typing_extensions import override

from tocsin.kafka.consumer import (
    ColumnarConsumer,
    PartitionConsumer,
    partition_consumer,
    plain_settings,
)
from tocsin.kafka.decoding import Messages
from tocsin.kafka.native_client import Client, library

# Partitions with a client of their own, and clients that the others share.
OWN, SHARED = 8, 4
# Settings of a shared client. The limits of prefetching hold for each of its partitions. A
# partition that joins waits until the request for the others returns.
_SHARING = {
    "queued.max.messages.kbytes": 1024,
    "queued.min.messages": 2000,
    "fetch.wait.max.ms": 100,
}


class ConsumerPool:
    """The consumers of one reader. Settings as for `partition_consumer`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._given = 0
        self._clients: list[Client] = []

    def consumer(self) -> PartitionConsumer:
        """A consumer of one more partition.

        Raises:
            Failure: for invalid settings.
        """
        self._given += 1
        if self._given <= OWN or library() is None:
            return partition_consumer(self._settings)
        if len(self._clients) < SHARED:
            self._clients.append(Client(plain_settings({**self._settings, **_SHARING})))
        return SharingConsumer(self._clients[self._given % len(self._clients)])


class SharingConsumer(ColumnarConsumer):
    """Reads one partition of a client that reads others, too, through a queue of its own."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._is_assigned = False

    def __del__(self) -> None:
        if self._queue != self._client.queue:
            self._library.rd_kafka_queue_destroy(self._queue)
        if self._is_assigned:
            self._change(self._library.rd_kafka_incremental_unassign, self._places())

    @override
    def _assign(self, places: Any) -> str:
        """Read the place in addition to those of others. Returns why not, or ''."""
        topic, partition = self._place
        if self._queue == self._client.queue:
            self._queue = self._library.rd_kafka_queue_get_partition(
                self._handle, topic.encode(), partition
            )
            # Before the assignment: the client forwards no queue that was forwarded by hand.
            self._library.rd_kafka_queue_forward(self._queue, None)
        if self._is_assigned:
            why = self._change(self._library.rd_kafka_incremental_unassign, places)
            if why:
                return why
        why = self._change(self._library.rd_kafka_incremental_assign, places)
        self._is_assigned = not why
        return why

    def _change(self, function: Any, places: Any) -> str:
        error = function(self._handle, places)
        if not error:
            return ""
        why: str = self._library.rd_kafka_error_string(error).decode()
        self._library.rd_kafka_error_destroy(error)
        return why

    @override
    def consume(self, most: int, wait: float) -> tuple[Messages, list[tuple[int, str]]]:
        messages, faults = super().consume(most, wait)
        return messages, [*self._of_client(), *faults]

    def _of_client(self) -> list[tuple[int, str]]:
        """Errors of the whole client. Messages arrive in the queues of their partitions."""
        messages = np.zeros(16, np.int64)
        count = self._library.rd_kafka_consume_batch_queue(
            self._client.queue, 0, messages.ctypes.data, len(messages)
        )
        return self._faults(messages[: max(count, 0)])
