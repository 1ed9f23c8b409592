"""Helpers of the tests on a real Kafka and a real Flink."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka.admin import AdminClient

from infra.cluster.settings import Cluster
from tests.faults.traffic import Traffic
from tests.support.tables import live_files

CANARY = "canary-5f1e7a-must-never-be-seen"
REGISTRY_CANARY = "canary-9b02c4-of-the-registry"
READING = """{"type": "record", "name": "reading", "fields": [
    {"name": "sensor", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"""
"""The schema of a sensor's time."""

Run = Callable[..., subprocess.CompletedProcess[str]]


def cancel_all(cluster: Cluster) -> None:
    """Cancel all running jobs and wait until their task slots are free."""
    from tocsin.flink.rest import FlinkRest

    flink = FlinkRest(f"http://{cluster.at('flink_rest')}")
    for job in flink.jobs():
        if not job.has_ended:
            flink.cancel(job.id)
    wait_for("free slots", lambda: all(job.has_ended for job in flink.jobs()))


def as_json(found: subprocess.CompletedProcess[str]) -> Any:
    """The JSON output of a command."""
    return json.loads(found.stdout)


def wait_for(what: str, true: Callable[[], Any], patience: float = 60) -> Any:
    """The first truthy result of `true`. Raises TimeoutError after `patience` seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.3)
    raise TimeoutError(f"no {what} within {patience} s")


def messages(brokers: str, topic: str, **settings: str) -> list[Any]:
    """All committed messages of a topic."""
    given = {
        "bootstrap.servers": brokers,
        "group.id": "test",
        "enable.auto.commit": False,
        "log_level": 0,
        **settings,
    }
    consumer = confluent_kafka.Consumer(
        {**given, "isolation.level": "read_committed", "auto.offset.reset": "earliest"}
    )
    place = confluent_kafka.TopicPartition
    numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ends = {
        number: consumer.get_watermark_offsets(place(topic, number), timeout=10)[1]
        for number in numbers
    }
    consumer.assign([place(topic, number, 0) for number in numbers])
    found: list[Any] = []
    end = time.monotonic() + 30
    while time.monotonic() < end:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            found.append(message)
        positions = consumer.position([place(topic, number) for number in numbers])
        if all(at.offset >= ends[at.partition] or ends[at.partition] == 0 for at in positions):
            break
    consumer.close()
    return found


@contextmanager
def traffic(cluster: Cluster, topic: str) -> Iterator[Traffic]:
    """A sender of readings in real time to a topic with two partitions."""
    sending = Traffic(cluster.at("kafka"), topic, seed=1)
    sending.start()
    try:
        yield sending
    finally:
        sending.end()


def parquet_files(lake: Path) -> list[Path]:
    """The live files of all tables of a lake; none before it is made."""
    folders = sorted(lake.iterdir()) if lake.is_dir() else []
    return [file for folder in folders for file in live_files(lake, folder.name)]


def create_again(admin: AdminClient, topics: Callable[..., None], name: str) -> None:
    """Delete a topic, and create one of its name with as many partitions."""
    partitions = len(admin.list_topics(timeout=10).topics[name].partitions)
    admin.delete_topics([name])[name].result(30)
    until = time.monotonic() + 30
    while name in admin.list_topics(timeout=10).topics and time.monotonic() < until:
        time.sleep(0.1)
    topics(**{name: partitions})
