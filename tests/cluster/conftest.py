"""A real Kafka and a real Flink, started once; tests here run by `make test-cluster`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cluster.control import down, up
from infra.cluster.settings import ROOT, Cluster

CANARY = "canary-5f1e7a-must-never-be-seen"
OFFSET = 9000


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With a secure listener, whose user's password is the canary."""
    folder = tmp_path_factory.mktemp("cluster")
    made = Cluster(folder=folder, offset=OFFSET, slots=4, users={"tocsin": CANARY, "stranger": "stranger-password"})
    os.environ["KAFKA_PASSWORD"] = CANARY  # the workers' own environment
    try:
        up(made)
        yield made
    finally:
        down(made)


@pytest.fixture
def tocsin(cluster: Cluster, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command, as a user of the cluster runs it."""

    def run(*arguments: object, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **cluster.environment(), **variables}
        command = [sys.executable, "-m", "tocsin", *map(str, arguments)]
        found = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=240, check=False)
        assert not check or found.returncode == 0, found.stdout + found.stderr
        return found

    return run


def as_json(found: subprocess.CompletedProcess[str]) -> Any:
    """What a command printed."""
    return json.loads(found.stdout)
