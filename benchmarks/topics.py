"""The broker of the benchmarks and its topics, filled once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.data import Readings
from infra.cluster.control import up
from infra.cluster.settings import ROOT, Cluster
from tocsin.simulator.city import METRICS

BROKER = Cluster(folder=ROOT / ".bench" / "kafka", offset=7000, only=("kafka",), proxied=True)


def broker() -> str:
    """Start the broker if it does not run; return its address."""
    up(BROKER)
    return BROKER.at("kafka")


def ends(brokers: str, topic: str) -> list[int]:
    """The end of each partition; empty if the topic does not exist."""
    consumer = KafkaConsumer({"bootstrap.servers": brokers, "group.id": "bench", "log_level": 0})
    try:
        found = consumer.list_topics(timeout=20).topics.get(topic)
        if found is None or found.error is not None:
            return []
        return [
            consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1]
            for p in sorted(found.partitions)
        ]
    finally:
        consumer.close()


def create(brokers: str, topic: str, partitions: int) -> None:
    """A new, empty topic; an existing topic of that name is deleted."""
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    if ends(brokers, topic):
        for future in admin.delete_topics([topic]).values():
            future.result(30)
        while ends(brokers, topic):
            pass
    for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        future.result(30)


def fill(brokers: str, topic: str, readings: Readings) -> None:
    """Fill the topic with these readings and those that close their windows, if it lacks them."""
    if sum(ends(brokers, topic)) == readings.messages + readings.partitions:
        return
    send(
        brokers,
        topic,
        readings.partitions,
        ((p.tolist(), m) for p, m in (*readings.pieces(), readings.closing())),
    )


def send(
    brokers: str, topic: str, partitions: int, pieces: Iterable[tuple[list[int], list[bytes]]]
) -> None:
    """A new topic with these messages (partition and bytes)."""
    create(brokers, topic, partitions)
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "compression.type": "lz4",
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
            "enable.idempotence": True,
            "log_level": 0,
        }
    )
    for numbers, messages in pieces:
        for partition, message in zip(numbers, messages, strict=True):
            producer.produce(topic, message, partition=partition)
        producer.flush()


# Next to the broker's data, where jobs find it.
CITY_REGISTRY = BROKER.folder / "air_sensors.csv"


def fill_city(brokers: str, topic: str, sensors: int, readings: int) -> None:
    """Fill the topic with about `count` simulated air-quality readings; return the registry."""
    if abs(sum(ends(brokers, topic)) - readings) < readings // 50 and CITY_REGISTRY.exists():
        return
    create(brokers, topic, 4)
    seconds = readings * 10 // (sensors * len(METRICS["air"]))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "tocsin",
            "simulate",
            "--sensors",
            str(sensors),
            "--duration",
            f"{seconds} s",
            "--topic",
            topic,
            "--brokers",
            brokers,
            "--registry",
            str(CITY_REGISTRY),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
    )
