"""The health of a cluster names the ports that are open wider than they should be."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from infra.cluster import control, listeners
from infra.cluster.control import open_ports
from infra.cluster.processes import processes
from infra.cluster.settings import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """A cluster whose job server is this process."""
    known = {
        "supervisor": os.getpid(),
        "processes": {"jobserver": {"pid": os.getpid(), "starts": 1}},
    }
    (tmp_path / "processes.json").write_text(json.dumps(known))
    return Cluster(folder=tmp_path, only=("nothing",))


@pytest.mark.parametrize(("address", "wide"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_health_fails_for_a_port_that_is_open_to_every_interface(
    cluster: Cluster, address: str, wide: bool
) -> None:
    with socket.create_server((address, 0)) as server:
        sentence = (
            f"jobserver listens on every interface at port {server.getsockname()[1]}, "
            f"pid {os.getpid()}"
        )
        assert (sentence in control.health(cluster)) == wide
    assert sentence not in control.health(cluster)


def test_ports_that_cannot_be_read_are_a_problem(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/proc/7/fd")

    monkeypatch.setattr(listeners, "_open_at", refused)
    assert "cannot be read" in open_ports(cluster)[0]


def test_no_command_line_shows_a_password() -> None:
    """Every user of the machine reads the command lines of all processes."""
    cluster = Cluster(users={"tocsin": "a-password-to-hide"})
    for process in processes(cluster):
        assert "a-password-to-hide" not in " ".join(process.command)


def test_the_supervisors_settings_are_not_on_its_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    original = control.subprocess.Popen

    def record(command: list[str], **options: object) -> object:
        started.append(command)
        # Reads what it is given, and does nothing.
        return original(["cat"], **{**options, "cwd": tmp_path})

    monkeypatch.setattr(control.subprocess, "Popen", record)
    control._supervise(Cluster(folder=tmp_path, users={"tocsin": "a-password-to-hide"}))
    assert len(started) == 1
    assert "a-password-to-hide" not in " ".join(started[0])
