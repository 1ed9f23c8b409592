"""A real Kafka and a real Flink, started once; tests here run by `make test-cluster`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from infra.cluster.control import down, up
from infra.cluster.settings import ROOT, Cluster
from tests.faults.traffic import Traffic

CANARY = "canary-5f1e7a-must-never-be-seen"
REGISTRY_CANARY = "canary-9b02c4-of-the-registry"
OFFSET = 9000

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With a secure listener, whose user's password is the canary."""
    folder = tmp_path_factory.mktemp("cluster")
    made = Cluster(
        folder=folder,
        offset=OFFSET,
        slots=2,
        users={"tocsin": CANARY, "stranger": "stranger-password"},
    )
    # The workers' own environment: secrets are resolved there, and nowhere else.
    os.environ |= {
        "KAFKA_PASSWORD": CANARY,
        "STRANGER_PASSWORD": "stranger-password",
        "REGISTRY_USER_INFO": f"me:{REGISTRY_CANARY}",
    }
    try:
        up(made)
        yield made
    finally:
        down(made)


@pytest.fixture(scope="session")
def admin(cluster: Cluster) -> AdminClient:
    """Of the broker's plain listener, which is the operator's."""
    return AdminClient({"bootstrap.servers": cluster.at("kafka"), "log_level": 0})


@pytest.fixture(scope="session")
def topics(admin: AdminClient) -> Callable[..., None]:
    """Create topics with two partitions, or as many as given by name=number."""

    def create(*names: str, **numbers: int) -> None:
        wanted = [
            NewTopic(name, number, 1)
            for name, number in {**dict.fromkeys(names, 2), **numbers}.items()
        ]
        for future in admin.create_topics(wanted).values():
            future.result(30)

    return create


@pytest.fixture
def tocsin(cluster: Cluster, tmp_path: Path) -> Iterator[Run]:
    """The command, as a user of the cluster runs it; jobs that a test leaves running are cancelled."""

    def run(
        *arguments: object, check: bool = True, cwd: Path = ROOT, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            **cluster.environment(),
            "TOCSIN_ALLOW_FOLDERS": str(tmp_path),
            **variables,
        }
        environment.setdefault("PYTHONPATH", str(ROOT))
        command = [sys.executable, "-m", "tocsin", *map(str, arguments)]
        found = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=environment,
            cwd=cwd,
            timeout=240,
            check=False,
        )
        assert not check or found.returncode == 0, found.stdout + found.stderr
        return found

    yield run
    cancel_all(cluster)


def cancel_all(cluster: Cluster) -> None:
    """End what still runs, and wait for its task slots."""
    from tocsin.flink.rest import FlinkRest

    flink = FlinkRest(f"http://{cluster.at('flink_rest')}")
    for job in flink.jobs():
        if not job.has_ended:
            flink.cancel(job.id)
    wait_for("free slots", lambda: all(job.has_ended for job in flink.jobs()))


def as_json(found: subprocess.CompletedProcess[str]) -> Any:
    """What a command printed."""
    return json.loads(found.stdout)


def wait_for(what: str, true: Callable[[], Any], patience: float = 60) -> Any:
    """What `true` gives when it gives something. Raises TimeoutError."""
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
    """Readings in real time into a topic with two partitions."""
    sending = Traffic(cluster.at("kafka"), topic, seed=1)
    sending.start()
    try:
        yield sending
    finally:
        sending.end()


def parquet_files(lake: Path) -> list[Path]:
    """The finished files of a lake."""
    return sorted(file for file in lake.rglob("*.parquet") if not file.name.startswith("."))
