"""Fixtures: a real Kafka and a real Flink, started once. `make test-cluster` runs these tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from infra.cluster.control import down, up
from infra.cluster.settings import ROOT, Cluster
from tests.support.cluster import CANARY, REGISTRY_CANARY, Run, cancel_all

OFFSET = 9000


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with a secure listener. The user's password is the canary."""
    folder = tmp_path_factory.mktemp("cluster")
    made = Cluster(
        folder=folder,
        offset=OFFSET,
        slots=2,
        users={"tocsin": CANARY, "stranger": "stranger-password"},
    )
    # The environment of the workers, which alone resolve secrets.
    os.environ |= {
        "KAFKA_PASSWORD": CANARY,
        "STRANGER_PASSWORD": "stranger-password",
        "REGISTRY_USER_INFO": f"me:{REGISTRY_CANARY}",
        "TOCSIN_SECRETS": ";".join(
            f"env:{name}@{made.host},127.0.0.1"
            for name in ("KAFKA_PASSWORD", "STRANGER_PASSWORD", "REGISTRY_USER_INFO")
        ),
        "TOCSIN_ALLOW_HOSTS": "127.0.0.1",
    }
    try:
        up(made)
        yield made
    finally:
        down(made)


@pytest.fixture(scope="session")
def admin(cluster: Cluster) -> AdminClient:
    """An admin client of the broker's plain listener, which is the operator's."""
    return AdminClient({"bootstrap.servers": cluster.at("kafka"), "log_level": 0})


@pytest.fixture(scope="session")
def topics(admin: AdminClient) -> Callable[..., None]:
    """A function that creates topics with two partitions, or with the number in name=number."""

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
    """The command in the cluster's environment. Cancels jobs that still run after a test."""

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
