"""Messages to Kafka in transactions, each unit once, whatever dies.

A unit's messages and the mark "done up to this unit" are committed in one transaction: the mark is an offset of a consumer
group of this writer's own. A writer that starts reads the mark and skips what is done. It also fences: of two writers with one
identity, such as a worker that was thought dead, the older can commit nothing more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from tocsin.foundation.failpoint import failpoint
from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka
from tocsin.kafka.producer import Headers

Message = tuple[bytes | None, bytes | None, Headers]
# Seconds for a unit: less than a checkpoint may take, so that what is wrong is told.
_PATIENCE = 40.0
# Seconds for one call.
_CALL = 3.0


class Transactions:
    """A transactional producer of one topic. identity: the same for every life of this writer, and no other's.

    `done`: units up to this one are committed. Raises Failure where Kafka cannot be reached.
    """

    def __init__(self, kafka: Kafka, topic: str, identity: str) -> None:
        import confluent_kafka

        self.topic = topic
        self.identity = identity
        self.kafka = kafka
        self._client = confluent_kafka
        # Of a coordinator that is starting or moving; librdkafka does not call them retriable where a mark is read.
        kinds = confluent_kafka.KafkaError
        self._passing = {
            kinds.NOT_COORDINATOR, kinds.COORDINATOR_LOAD_IN_PROGRESS, kinds.COORDINATOR_NOT_AVAILABLE,
            kinds._TRANSPORT, kinds._TIMED_OUT, kinds._ALL_BROKERS_DOWN, kinds._WAIT_COORD,
        }  # fmt: skip
        self._fencing = {kinds._FENCED, kinds.INVALID_PRODUCER_EPOCH}
        self._refusals = {
            kinds.TOPIC_AUTHORIZATION_FAILED, kinds.GROUP_AUTHORIZATION_FAILED, kinds.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            kinds.CLUSTER_AUTHORIZATION_FAILED, kinds._AUTHENTICATION,
        }  # fmt: skip
        try:
            self._open()
        except confluent_kafka.KafkaException as error:
            raise self._failure(error) from None

    def _open(self) -> None:
        """A new producer. It fences the one before, whose open transaction ends, so that the mark then stands still."""
        ours = {
            "transactional.id": self.identity, "transaction.timeout.ms": 60_000, "linger.ms": 5, "compression.type": "zstd",
            "log_level": 0,
        }  # fmt: skip
        mark = {
            "group.id": self.identity,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "log_level": 0,
        }
        self._producer = self._client.Producer(self.kafka.client_settings(**ours))
        self._until(self._in_time(self._producer.init_transactions))
        self._group = self._client.Consumer(self.kafka.client_settings(**mark))
        self.done = max(int(self._until(self._mark)), 0)

    def _mark(self, seconds: float) -> int:
        try:
            found = self._group.committed(
                [self._client.TopicPartition(self.topic, 0)], timeout=seconds
            )
        except self._client.KafkaException:
            # A group that may not be read has no coordinator that could say so: the call only runs out of time.
            told = self._group.poll(0)
            if (
                told is not None
                and told.error() is not None
                and told.error().code() in self._refusals
            ):
                raise self._client.KafkaException(told.error()) from None
            raise
        return int(found[0].offset)

    def write(self, unit: int, messages: Sequence[Message]) -> bool:
        """Commit a unit: all its messages or none. Units rise; one that is done is skipped, which is what False says.

        Raises Failure where it was not committed, or where a newer writer has taken over.
        """
        if unit <= self.done:
            return False
        try:
            self._write(unit, messages)
        except self._client.KafkaException as error:
            raise self._failure(error) from None
        except BufferError as error:
            raise Failure(
                f"cannot write {len(messages):,} messages to '{self.topic}' in a transaction: {error}"
            ) from None
        return True

    def _write(self, unit: int, messages: Sequence[Message]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while unit > self.done:
            try:
                self._commit(unit, messages)
                self.done = unit
            except self._client.KafkaException as error:
                if (
                    error.args[0].code() in self._fencing | self._refusals
                    or time.monotonic() > deadline
                ):
                    raise
                # A call of librdkafka that a lost connection has left hanging never ends; a new producer knows what was
                # committed and does the rest.
                self._open()

    def _commit(self, unit: int, messages: Sequence[Message]) -> None:
        mark = self._client.TopicPartition(self.topic, 0, unit)
        producer = self._producer
        failpoint("alarms.begin")
        producer.begin_transaction()
        failpoint("alarms.begun")
        for key, value, headers in messages:
            producer.produce(self.topic, value, key, headers=headers)
        failpoint("alarms.produced")
        group = self._group.consumer_group_metadata()
        self._in_time(lambda left: producer.send_offsets_to_transaction([mark], group, left))(_CALL)
        failpoint("alarms.marked")
        self._in_time(producer.commit_transaction)(_CALL)
        failpoint("alarms.committed")

    def _in_time(self, call: Callable[[float], Any]) -> Callable[[float], Any]:
        """A call that raises KafkaException when its time is over.

        librdkafka waits for an answer past the time that it was given, and for ever where the connection was lost at a bad
        moment. Such a call is left behind with its producer, which the next one fences.
        """

        def bounded(seconds: float) -> Any:
            outcome: list[Any] = []

            def work() -> None:
                try:
                    outcome.append((call(seconds), None))
                except self._client.KafkaException as error:
                    outcome.append((None, error))

            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(2 * seconds)
            if not outcome:
                raise self._client.KafkaException(
                    self._client.KafkaError(self._client.KafkaError._TIMED_OUT)
                )
            result, error = outcome[0]
            if error is not None:
                raise error
            return result

        return bounded

    def _until(self, call: Any) -> Any:
        """Repeat a call while Kafka says that it may be repeated."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return call(_CALL)
            except self._client.KafkaException as error:
                cause = error.args[0]
                if (
                    not (cause.retriable() or cause.code() in self._passing)
                    or time.monotonic() > deadline
                ):
                    raise
                time.sleep(0.2)

    def _failure(self, error: Any) -> Failure:
        cause = error.args[0]
        if cause.code() in self._fencing:
            return Failure(
                f"another writer of '{self.topic}' has taken over from this one (transactional id {self.identity})"
            )
        hint = (
            " (docs/security.md lists the rights that a job needs)"
            if cause.code() in self._refusals
            else ""
        )
        return Failure(
            f"cannot write to the topic '{self.topic}' at {self.kafka.address()} in a transaction of {self.identity}: "
            f"{self.kafka.reason_of(cause)}{hint}"
        )
