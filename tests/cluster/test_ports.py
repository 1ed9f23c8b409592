"""A cluster with a running job is reached from this machine only, and only its user reads it."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.cluster.control import health, state
from infra.cluster.listeners import Address, Listener, listeners
from infra.cluster.private import exposed
from infra.cluster.settings import Cluster, listens
from tests.support.cluster import CANARY, Run, parquet_files, traffic, wait_for

JOB = Path(__file__).parent / "life.yaml"
_SIOCGIFADDR = 0x8915
# Ports of the Fn API that a TaskManager opens for a job: control, data, state, logging, artifacts
# and provisioning.
FN_API = 6


def addresses() -> list[Address]:
    """The addresses of this machine other than loopback, of IPv4 and IPv6."""
    found: list[Address] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(asking, _SIOCGIFADDR, request)
            except OSError:
                continue
            found.append(ipaddress.ip_address(answer[20:24]))
    table = Path("/proc/net/if_inet6")
    lines = table.read_text("ascii").splitlines() if table.exists() else []
    found += [ipaddress.ip_address(bytes.fromhex(line.split()[0])) for line in lines]
    # A link-local address works only with the name of its interface.
    return [one for one in found if not one.is_loopback and not one.is_link_local]


def pids(cluster: Cluster) -> dict[str, int]:
    return {name: known["pid"] for name, known in state(cluster)["processes"].items()}


@pytest.fixture(scope="module")
def ports(cluster: Cluster) -> Iterator[Callable[[], list[Listener]]]:
    """The ports that the cluster has open."""
    return lambda: listeners(pids(cluster))


@pytest.fixture
def running(
    tocsin: Run, cluster: Cluster, topics: Callable[..., None], tmp_path: Path
) -> Iterator[None]:
    """A job that has written rows."""
    topics("ports", "ports.alarms", "ports.rejects")
    with traffic(cluster, "ports"):
        tocsin("submit", JOB, LIFE_TOPIC="ports", LAKE=str(tmp_path / "lake"))
        wait_for("output", lambda: len(parquet_files(tmp_path / "lake")) > 1)
        yield


def test_every_port_of_a_cluster_with_a_job_is_on_loopback(
    cluster: Cluster,
    running: None,
    ports: Callable[[], list[Listener]],
    tocsin: Run,
) -> None:
    found = ports()
    table = "\n".join(f"{one.name} {one.address}:{one.port}" for one in found)
    # The table is whole: each process is in it, with the ports that are known and the job's.
    assert {one.name for one in found} == set(pids(cluster)), table
    known = {one.port for one in found}
    expected = (
        "kafka",
        "kafka_secure",
        "kafka_controller",
        "zookeeper",
        "flink_rest",
        "flink_rpc",
        "flink_blob",
        "jobmanager_metrics",
        "job_server",
        "artifacts",
        "worker_pool",
    )
    assert {cluster.port(name) for name in expected} <= known, table
    assert sum(one.name == "taskmanager" for one in found) >= FN_API + 3, table
    assert not [one for one in found if not one.address.is_loopback], table
    assert health(cluster) == []

    # Nothing answers at this machine's other addresses.
    others = addresses()
    assert others, "this machine has no address but loopback, so nothing can be scanned"
    places = [(str(address), port) for address in others for port in sorted(known)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda place: listens(*place, timeout=2), places))
    assert not [place for place, open_there in zip(places, answers, strict=True) if open_there]
    # The scan would have found them: the same ports answer on loopback.
    assert all(listens(str(one.address), one.port) for one in ports() if one.port in known)

    # Nobody else reads the cluster's files while the job runs.
    assert (cluster.folder / "env").exists()
    assert list((cluster.folder / "workers").iterdir()), "no code of a job"
    assert list((cluster.folder / "flink" / "checkpoints").iterdir()), "no checkpoint"
    assert exposed(cluster.folder) == []
    # Every user reads the command lines of all processes.
    for pid in {one.pid for one in found} | {state(cluster)["supervisor"]}:
        assert CANARY.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_the_scan_finds_a_port_that_is_open_to_every_interface() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        assert all(listens(str(one), port) for one in addresses() if one.version == 4)
