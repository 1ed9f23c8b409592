"""An address is the argument, else the environment's, else that of a local cluster."""

from __future__ import annotations

import pytest

from tocsin.flink.endpoints import (
    FLINK_VARIABLE,
    JOB_SERVER_VARIABLE,
    WORKER_POOL_VARIABLE,
    Address,
)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (FLINK_VARIABLE, JOB_SERVER_VARIABLE, WORKER_POOL_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_without_arguments_the_cluster_is_local() -> None:
    assert Address.found() == Address("http://127.0.0.1:8081", "127.0.0.1:8099", "127.0.0.1:8100")


def test_the_environment_precedes_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FLINK_VARIABLE, "http://flink:8081/")
    monkeypatch.setenv(JOB_SERVER_VARIABLE, "jobs:1")
    monkeypatch.setenv(WORKER_POOL_VARIABLE, "pool:2")
    assert Address.found() == Address("http://flink:8081", "jobs:1", "pool:2")


def test_an_argument_precedes_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FLINK_VARIABLE, "http://flink:8081")
    found = Address.found(flink="http://other:9/", job_server="a:1", worker_pool="b:2")
    assert found == Address("http://other:9", "a:1", "b:2")


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JOB_SERVER_VARIABLE, "")
    assert Address.found().job_server == "127.0.0.1:8099"
