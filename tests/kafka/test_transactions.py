"""A writer in transactions against a client that fails as told; tests/cluster has a real broker."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tocsin.foundation.failure import Failure
from tocsin.kafka import transactions
from tocsin.kafka.connection import Kafka
from tocsin.kafka.transactions import Transactions

CALLS = ["init_transactions", "begin_transaction", "send_offsets_to_transaction",
         "commit_transaction", "committed"]  # fmt: skip


class Broker:
    """The committed, and which calls fail: by name, the errors of the next calls."""

    def __init__(self) -> None:
        self.topic: list[bytes] = []
        self.mark = -1001
        self.fails: dict[str, list[Any]] = {}
        self.calls = Counter[str]()
        self.settings: list[dict[str, Any]] = []
        self.report: Any = None

    def note(self, name: str) -> None:
        self.calls[name] += 1
        waiting = self.fails.get(name, [])
        if waiting:
            error = waiting.pop(0)
            if callable(error):
                error()
            else:
                raise KafkaException(KafkaError(error))

    def producer(self, settings: dict[str, Any]) -> Any:
        self.settings.append(settings)
        begun: list[bytes] = []
        marks: list[int] = []

        def begin() -> None:
            self.note("begin_transaction")
            begun.clear()

        def produce(topic: str, value: bytes, key: bytes, headers: Any) -> None:
            self.note("produce")
            assert (topic, key, headers) == ("alarms", b"k", [("h", b"v")])
            begun.append(value)

        def send(offsets: list[TopicPartition], group: Any, left: float) -> None:
            self.note("send_offsets_to_transaction")
            assert (offsets[0].topic, offsets[0].partition, group) == ("alarms", 0, "group")
            marks.append(offsets[0].offset)

        def commit(left: float) -> None:
            self.note("commit_transaction")
            self.topic += begun
            self.mark = marks[-1]

        return SimpleNamespace(
            init_transactions=lambda left: self.note("init_transactions"),
            begin_transaction=begin,
            produce=produce,
            send_offsets_to_transaction=send,
            commit_transaction=commit,
        )

    def consumer(self, settings: dict[str, Any]) -> Any:
        self.settings.append(settings)

        def committed(places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
            self.note("committed")
            assert timeout > 0
            return [TopicPartition(places[0].topic, places[0].partition, self.mark)]

        return SimpleNamespace(
            committed=committed,
            poll=lambda wait: self.report,
            consumer_group_metadata=lambda: "group",
        )


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr(confluent_kafka, "Producer", made.producer)
    monkeypatch.setattr(confluent_kafka, "Consumer", made.consumer)
    monkeypatch.setattr(transactions, "_CALL", 0.2)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return made


def writer() -> Transactions:
    return Transactions(Kafka(brokers="nowhere:1"), "alarms", "tocsin.air/0")


def messages(*values: bytes) -> list[Any]:
    return [(b"k", value, [("h", b"v")]) for value in values]


def test_a_unit_is_written_once_with_its_mark(broker: Broker) -> None:
    made = writer()
    assert made.done == 0
    assert made.write(5, messages(b"a", b"b"))
    assert (broker.topic, broker.mark, made.done) == ([b"a", b"b"], 5, 5)
    assert made.write(5, messages(b"c")) is False
    assert made.write(4, messages(b"c")) is False
    assert made.write(6, [])
    assert (broker.topic, broker.mark) == ([b"a", b"b"], 6)


def test_the_next_writer_knows_what_is_committed(broker: Broker) -> None:
    writer().write(5, messages(b"a"))
    again = writer()
    assert again.done == 5
    assert again.write(5, messages(b"a")) is False
    assert broker.topic == [b"a"]


def test_the_clients_settings_make_it_exactly_once(broker: Broker) -> None:
    writer()
    producer, group = broker.settings
    assert producer["transactional.id"] == group["group.id"] == "tocsin.air/0"
    assert group["isolation.level"] == "read_committed"
    assert group["enable.auto.commit"] is False


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("error", [KafkaError._TRANSPORT, KafkaError.COORDINATOR_NOT_AVAILABLE])
def test_a_passing_error_of_any_call_is_tried_again(broker: Broker, call: str, error: int) -> None:
    broker.fails[call] = [error]
    made = writer()
    assert made.write(1, messages(b"a"))
    assert made.write(2, messages(b"b"))
    assert (broker.topic, broker.mark, broker.fails[call]) == ([b"a", b"b"], 2, [])


def test_a_commit_whose_answer_is_lost_is_not_written_again(broker: Broker) -> None:
    made = writer()

    def commits_and_fails() -> None:
        broker.topic.append(b"a")
        broker.mark = 1
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    broker.fails["commit_transaction"] = [commits_and_fails]
    assert made.write(1, messages(b"a"))
    assert broker.topic == [b"a"]


def test_a_call_that_never_returns_is_given_up(broker: Broker) -> None:
    made = writer()
    broker.fails["commit_transaction"] = [lambda: threading.Event().wait(3)]
    assert made.write(1, messages(b"a"))
    assert (broker.topic, broker.calls["init_transactions"]) == ([b"a"], 2)


@pytest.mark.parametrize("error", [KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH])
def test_a_writer_that_was_replaced_ends(broker: Broker, error: int) -> None:
    made = writer()
    broker.fails["commit_transaction"] = [error]
    with pytest.raises(Failure, match=r"another writer of 'alarms' .* \(transactional id tocsin"):
        made.write(1, messages(b"a"))
    assert broker.calls["init_transactions"] == 1


def test_a_missing_right_is_reported_at_once(broker: Broker) -> None:
    broker.fails["begin_transaction"] = [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    made = writer()
    with pytest.raises(Failure, match=r"cannot write to the topic 'alarms' .* lists the rights"):
        made.write(1, messages(b"a"))
    broker.fails["init_transactions"] = [KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]
    with pytest.raises(Failure, match="lists the rights"):
        writer()
    assert broker.topic == []


def test_the_reason_of_the_group_is_found_behind_a_timeout(broker: Broker) -> None:
    refusal = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)
    broker.report = SimpleNamespace(error=lambda: refusal)
    broker.fails["committed"] = [KafkaError._TIMED_OUT]
    with pytest.raises(Failure, match="lists the rights"):
        writer()
    assert broker.calls["committed"] == 1
    # Another report does not end it.
    broker.report = SimpleNamespace(error=lambda: None)
    broker.fails["committed"] = [KafkaError._TIMED_OUT]
    assert writer().done == 0


def test_errors_that_do_not_pass_end_after_some_patience(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "_PATIENCE", 0.05)
    made = writer()
    broker.fails["commit_transaction"] = [KafkaError._STATE] * 1_000_000
    with pytest.raises(Failure, match="cannot write to the topic") as raised:
        made.write(1, messages(b"a"))
    assert "rights" not in str(raised.value)
    assert broker.calls["commit_transaction"] < 1_000_000


def test_a_full_queue_is_a_failure_of_the_unit(broker: Broker) -> None:
    made = writer()

    def full() -> None:
        raise BufferError("Local: Queue full")

    broker.fails["produce"] = [full]
    with pytest.raises(Failure, match=r"cannot write 2 messages to 'alarms' .*Queue full"):
        made.write(1, messages(b"a", b"b"))
