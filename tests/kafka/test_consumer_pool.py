"""Partitions that share a client are read as those with a client of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer

from tocsin.foundation.failure import Failure
from tocsin.kafka import consumer_pool
from tocsin.kafka.consumer import PartitionConsumer
from tocsin.kafka.consumer_pool import ConsumerPool, SharingConsumer
from tocsin.simulator.embedded_kafka import EmbeddedKafka

PARTITIONS, MESSAGES = 4, 500


@pytest.fixture(scope="module")
def brokers() -> Iterator[str]:
    with EmbeddedKafka() as kafka:
        producer = Producer({"bootstrap.servers": kafka.brokers})
        for number in range(MESSAGES):
            for partition in range(PARTITIONS):
                producer.produce("t", f"{partition}-{number}".encode(), partition=partition)
        producer.flush()
        yield kafka.brokers


@pytest.fixture
def pool(brokers: str, monkeypatch: pytest.MonkeyPatch) -> ConsumerPool:
    """All four partitions share two clients."""
    monkeypatch.setattr(consumer_pool, "OWN", 0)
    monkeypatch.setattr(consumer_pool, "SHARED", 2)
    return ConsumerPool(
        {
            "bootstrap.servers": brokers,
            "group.id": "g",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": False,
        }
    )


def texts(consumer: PartitionConsumer, count: int, most: int = 40) -> list[str]:
    found: list[str] = []
    until = time.monotonic() + 20
    while len(found) < count and time.monotonic() < until:
        messages, faults = consumer.consume(most, 0.2)
        assert not faults
        found += [value.decode() for value in messages.values.to_pylist()]
    return found


def wanted(partition: int, start: int = 0) -> list[str]:
    return [f"{partition}-{number}" for number in range(start, MESSAGES)]


def test_each_partition_gives_its_own_messages_in_order(pool: ConsumerPool) -> None:
    consumers = [pool.consumer() for _ in range(PARTITIONS)]
    assert all(isinstance(one, SharingConsumer) for one in consumers)
    for partition, consumer in enumerate(consumers):
        consumer.assign("t", partition, 0)
    found: dict[int, list[str]] = {}

    def read(partition: int) -> None:
        found[partition] = texts(consumers[partition], MESSAGES)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(PARTITIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {partition: wanted(partition) for partition in range(PARTITIONS)}
    assert [one.position() for one in consumers] == [MESSAGES] * PARTITIONS
    assert [one.end() for one in consumers] == [MESSAGES] * PARTITIONS


def test_a_partition_that_starts_again_elsewhere_disturbs_no_other(pool: ConsumerPool) -> None:
    first, _, third = (pool.consumer() for _ in range(3))
    first.assign("t", 0, 0)
    third.assign("t", 1, 0)
    assert texts(first, 40) == wanted(0)[:40]
    first.assign("t", 0, 300)
    assert texts(first, 200) == wanted(0, 300)
    first.assign("t", 0, 10)
    assert texts(first, MESSAGES - 10) == wanted(0, 10)
    assert texts(third, MESSAGES) == wanted(1)


def test_an_offset_that_is_gone_is_an_error_of_its_partition(pool: ConsumerPool) -> None:
    first, _, third = (pool.consumer() for _ in range(3))
    first.assign("t", 0, MESSAGES + 50)
    third.assign("t", 1, 0)
    assert texts(third, MESSAGES) == wanted(1)
    faults: list[Any] = []
    until = time.monotonic() + 20
    while not faults and time.monotonic() < until:
        faults += first.consume(10, 0.2)[1]
    assert faults[0][0] == KafkaError._AUTO_OFFSET_RESET


def test_a_consumer_that_ends_leaves_the_others(pool: ConsumerPool) -> None:
    first, _, third = (pool.consumer() for _ in range(3))
    first.assign("t", 0, 0)
    third.assign("t", 1, 0)
    assert len(texts(first, 40)) == 40
    del first
    assert texts(third, MESSAGES) == wanted(1)


def test_the_first_partitions_have_clients_of_their_own(brokers: str) -> None:
    """One client fetches from a broker in one thread; few partitions get more than that."""
    pool = ConsumerPool({"bootstrap.servers": brokers, "group.id": "g"})
    kinds = [isinstance(pool.consumer(), SharingConsumer) for _ in range(consumer_pool.OWN + 3)]
    assert kinds == [False] * consumer_pool.OWN + [True] * 3


def test_a_partition_that_another_reads_is_refused(pool: ConsumerPool) -> None:
    """Two readers of one partition would each get a part of its messages."""
    first, second = (pool.consumer() for _ in range(2))
    first.assign("t", 0, 0)
    with pytest.raises(Failure, match="t:0"):
        second.assign("t", 0, 0)
    assert texts(first, MESSAGES) == wanted(0)
