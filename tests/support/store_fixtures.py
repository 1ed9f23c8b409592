"""An object store for the tests of tables: the address of a server, and a lake of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.object_stores import BUCKET, Proxy, environment, program, proxy, server


def _kind(name: str) -> Any:
    is_missing = program(name) is None
    return pytest.param(name, marks=pytest.mark.skipif(is_missing, reason=f"{name} is not built"))


@pytest.fixture(scope="session", params=["moto", _kind("versitygw"), _kind("weed")])
def store_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with server(request.param, tmp_path_factory.mktemp(request.param)) as address:
        yield address


@pytest.fixture
def store_lake(store_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty lake, which the variables of this process lead to."""
    for name, value in environment(store_server).items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{secrets.token_hex(4)}"


@pytest.fixture
def faulty(store_server: str, store_lake: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy with faults in front of the server of `store_lake`."""
    with proxy(store_server) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL", found.address)
        yield found
