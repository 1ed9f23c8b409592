"""Messages to Kafka in transactions, each unit once, whatever dies.

A unit's messages and the mark "done up to this unit" are committed in one transaction: the mark is an offset of a consumer
group of this writer's own. A writer that starts reads the mark and skips what is done. It also fences: of two writers with one
identity, such as a worker that was thought dead, the older can commit nothing more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tocsin.parts.connection import Kafka
from tocsin.parts.failpoint import failpoint
from tocsin.parts.failure import Failure
from tocsin.parts.producer import Headers

Message = tuple[bytes | None, bytes | None, Headers]
_PATIENCE = 60.0


class Transactions:
    """A transactional producer of one topic. identity: the same for every life of this writer, and no other's."""

    def __init__(self, kafka: Kafka, topic: str, identity: str) -> None:
        import confluent_kafka

        self.topic = topic
        self.identity = identity
        self.address = kafka.address()
        self._kafka = confluent_kafka
        self._mark = confluent_kafka.TopicPartition(topic, 0)
        settings = kafka.client_settings(
            **{
                "transactional.id": identity,
                "transaction.timeout.ms": 60_000,
                "linger.ms": 5,
                "compression.type": "zstd",
                "log_level": 0,
            }
        )
        reader = {"group.id": identity, "isolation.level": "read_committed", "enable.auto.commit": False, "log_level": 0}
        try:
            self._producer = confluent_kafka.Producer(settings)
            # First: it fences the writer before, so that the mark stands still when it is read.
            self._until(self._producer.init_transactions)
            self._group = confluent_kafka.Consumer(kafka.client_settings(**reader))
            found = self._until(lambda left: self._group.committed([self._mark], timeout=left))
        except confluent_kafka.KafkaException as error:
            raise self._failure(error) from None
        self.done = max(int(found[0].offset), 0)
        """Units up to this one are committed."""

    def write(self, unit: int, messages: Sequence[Message]) -> bool:
        """Commit a unit: all its messages or none. Units rise; one that is done is skipped, which is what False says.

        Raises Failure where it was not committed, or where a newer writer has taken over.
        """
        if unit <= self.done:
            return False
        mark = self._kafka.TopicPartition(self.topic, 0, unit)
        try:
            failpoint("alarms.begin")
            self._producer.begin_transaction()
            failpoint("alarms.begun")
            for key, value, headers in messages:
                self._producer.produce(self.topic, value, key, headers=headers)
            failpoint("alarms.produced")
            metadata = self._group.consumer_group_metadata()
            self._until(lambda left: self._producer.send_offsets_to_transaction([mark], metadata, left))
            failpoint("alarms.marked")
            self._until(self._producer.commit_transaction)
            failpoint("alarms.committed")
        except (self._kafka.KafkaException, BufferError) as error:
            # A new producer, in a new attempt, finds out what was committed.
            raise self._failure(error) from None
        self.done = unit
        return True

    def _until(self, call: Any) -> Any:
        """Repeat a call while Kafka says that it may be repeated."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return call(max(deadline - time.monotonic(), 1.0))
            except self._kafka.KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _failure(self, error: Any) -> Failure:
        cause = error.args[0]
        code = cause.code() if hasattr(cause, "code") else None
        if code in (self._kafka.KafkaError._FENCED, self._kafka.KafkaError.INVALID_PRODUCER_EPOCH):
            return Failure(f"another writer of '{self.topic}' has taken over from this one (transactional id {self.identity})")
        text = cause.str() if hasattr(cause, "str") else str(cause)
        return Failure(f"cannot write to the topic '{self.topic}' at {self.address} in a transaction: {text}")
