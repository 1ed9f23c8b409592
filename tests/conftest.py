"""Fixtures: an embedded Kafka, and a way to put readings into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.store_fixtures import faulty, store_lake, store_server

__all__ = ["faulty", "store_lake", "store_server"]

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile(
    "tocsin",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("tocsin")


@pytest.fixture(scope="session", autouse=True)
def _folder_of_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Jobs of tests may read and write the folders of tests."""
    os.environ["TOCSIN_ALLOW_FOLDERS"] = str(tmp_path_factory.getbasetemp())


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A broker of this test's own."""
    from tocsin.simulator.embedded_kafka import EmbeddedKafka

    with EmbeddedKafka() as broker:
        monkeypatch.setenv("TOCSIN_BROKERS", broker.brokers)
        yield broker


@pytest.fixture
def send(kafka: Any) -> Callable[..., None]:
    """Send (value, key, timestamp in ms, partition) messages to a topic."""
    import confluent_kafka

    def send(topic: str, messages: list[Any]) -> None:
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": kafka.brokers,
                "log_level": 0,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        producer.list_topics(topic, timeout=5)
        for message in messages:
            value, key, stamp, partition = (
                (*message, None, None, None)[:4]
                if isinstance(message, tuple)
                else (message, None, None, None)
            )
            options = {
                name: v
                for name, v in (("timestamp", stamp), ("partition", partition))
                if v is not None
            }
            producer.produce(topic, value, key, **options)
        assert producer.flush(20) == 0

    return send


@pytest.fixture
def receive(kafka: Any) -> Callable[[str], list[Any]]:
    """All messages of a topic."""
    import confluent_kafka

    def receive(topic: str) -> list[Any]:
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": kafka.brokers,
                "group.id": "test",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in partitions])
        # Ends of transactions have offsets, too, so the offsets do not count the messages.
        found, ended = [], set[int]()
        while len(ended) < len(partitions):
            for message in consumer.consume(1000, timeout=0.2):
                if message.error() is None:
                    found.append(message)
                elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
        consumer.close()
        return found

    return receive


@pytest.fixture
def tocsin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Run the command in this process; gives exit code, standard output and standard error."""
    from tocsin.cli.main import main

    monkeypatch.chdir(ROOT)
    # A process of its own would take what a command puts into its environment with it.
    environment = dict(os.environ)

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(leaving.value.code or 0), captured.out, captured.err

    yield run
    os.environ.clear()
    os.environ.update(environment)
