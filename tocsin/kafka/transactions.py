"""Exactly-once writes to Kafka: each unit of messages is one transaction.

The transaction commits the unit's messages together with the mark: the unit's number as an offset
of the writer's own consumer group. A new writer reads the mark and skips committed units. It also
fences: if two writers have one identity, the older one can commit nothing more.
"""

# Names of librdkafka's local errors begin with an underscore.
# ruff: noqa: SLF001

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
# Seconds for one unit: shorter than the checkpoint timeout, so that the error is reported.
_PATIENCE = 40.0
# Seconds for one call of the client.
_CALL = 3.0


class Transactions:
    """A transactional producer of one topic.

    Args:
        kafka: the cluster.
        topic: the topic.
        identity: transactional id, unique to this writer and the same after a restart.

    Attributes:
        done: the last committed unit.

    Raises:
        Failure: if Kafka cannot be reached or refuses.
    """

    def __init__(self, kafka: Kafka, topic: str, identity: str) -> None:
        import confluent_kafka

        self.topic = topic
        self.identity = identity
        self.kafka = kafka
        self._client = confluent_kafka
        # Errors of a coordinator that starts or moves. librdkafka does not call them retriable when
        # the mark is read.
        kinds = confluent_kafka.KafkaError
        self._transient = {
            kinds.NOT_COORDINATOR,
            kinds.COORDINATOR_LOAD_IN_PROGRESS,
            kinds.COORDINATOR_NOT_AVAILABLE,
            kinds._TRANSPORT,
            kinds._TIMED_OUT,
            kinds._ALL_BROKERS_DOWN,
            kinds._WAIT_COORD,
        }
        self._fencing = {kinds._FENCED, kinds.INVALID_PRODUCER_EPOCH}
        self._refusals = {
            kinds.TOPIC_AUTHORIZATION_FAILED,
            kinds.GROUP_AUTHORIZATION_FAILED,
            kinds.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            kinds.CLUSTER_AUTHORIZATION_FAILED,
            kinds._AUTHENTICATION,
        }
        try:
            self._open()
        except confluent_kafka.KafkaException as error:
            raise self._failure(error) from None

    def _open(self) -> None:
        """Open a new producer, which fences the previous one and ends its transaction.

        After that the mark cannot change.
        """
        producer = {
            "transactional.id": self.identity,
            "transaction.timeout.ms": 60_000,
            "linger.ms": 5,
            "compression.type": "zstd",
            "log_level": 0,
        }
        group = {
            "group.id": self.identity,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "log_level": 0,
        }
        self._producer = self._client.Producer(self.kafka.client_settings(**producer))
        self._until(self._in_time(self._producer.init_transactions))
        self._group = self._client.Consumer(self.kafka.client_settings(**group))
        self.done = max(int(self._until(self._mark)), 0)

    def _mark(self, seconds: float) -> int:
        try:
            found = self._group.committed(
                [self._client.TopicPartition(self.topic, 0)], timeout=seconds
            )
        except self._client.KafkaException:
            # Without the right to read the group, the call times out. The consumer has the reason.
            report = self._group.poll(0)
            if (
                report is not None
                and report.error() is not None
                and report.error().code() in self._refusals
            ):
                raise self._client.KafkaException(report.error()) from None
            raise
        return int(found[0].offset)

    def write(self, unit: int, messages: Sequence[Message]) -> bool:
        """Commit a unit: all its messages or none.

        Args:
            unit: number of the unit; numbers increase.
            messages: (key, value, headers) of each message.

        Returns:
            False if the unit was already committed, and is skipped.

        Raises:
            Failure: if the unit is not committed, or a newer writer has taken over.
        """
        if unit <= self.done:
            return False
        try:
            self._write(unit, messages)
        except self._client.KafkaException as error:
            raise self._failure(error) from None
        except BufferError as error:
            raise Failure(
                f"cannot write {len(messages):,} messages to '{self.topic}' in a transaction: "
                f"{error}"
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
                # After a lost connection a call of librdkafka may never return. A new producer
                # knows what is committed and does the rest.
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
        """A call that raises KafkaException after twice its timeout.

        librdkafka may exceed its own timeout, and never returns if it loses the connection at a bad
        moment. Such a call is abandoned together with its producer, which the next one fences.
        """

        def bounded(seconds: float) -> Any:
            results: list[Any] = []

            def work() -> None:
                try:
                    results.append((call(seconds), None))
                except self._client.KafkaException as error:
                    results.append((None, error))

            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(2 * seconds)
            if not results:
                raise self._client.KafkaException(
                    self._client.KafkaError(self._client.KafkaError._TIMED_OUT)
                )
            result, error = results[0]
            if error is not None:
                raise error
            return result

        return bounded

    def _until(self, call: Any) -> Any:
        """The result of a call, repeated after transient errors."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return call(_CALL)
            except self._client.KafkaException as error:
                cause = error.args[0]
                if (
                    not (cause.retriable() or cause.code() in self._transient)
                    or time.monotonic() > deadline
                ):
                    raise
                time.sleep(0.2)

    def _failure(self, error: Any) -> Failure:
        cause = error.args[0]
        if cause.code() in self._fencing:
            return Failure(
                f"another writer of '{self.topic}' has taken over from this one "
                f"(transactional id {self.identity})"
            )
        hint = (
            " (docs/security.md lists the rights that a job needs)"
            if cause.code() in self._refusals
            else ""
        )
        return Failure(
            f"cannot write to the topic '{self.topic}' at {self.kafka.address()} "
            f"in a transaction of {self.identity}: {self.kafka.reason_of(cause)}{hint}"
        )
