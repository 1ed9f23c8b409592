"""The table of open ports: what the kernel writes, and what real processes have open."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cluster.listeners import Listener, address_of, listeners

# Listens on the address in its first argument, prints its port, and ends with its input.
LISTENING = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], 0), family=family)
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""
# Starts the program above as a child.
WITH_A_CHILD = f"""
import subprocess, sys
child = subprocess.run([sys.executable, "-c", {LISTENING!r}, sys.argv[1]])
"""
# Starts it and ends, so the child has no parent among the processes that are known.
ORPHAN_LEFT = f"""
import os, subprocess, sys
if os.fork():
    sys.stdin.read()
elif os.fork():
    os._exit(0)
else:
    subprocess.run([sys.executable, "-c", {LISTENING!r}, sys.argv[1]])
"""


@contextmanager
def running(program: str, address: str) -> Iterator[tuple[int, int]]:
    """The pid of a program and the port that it opened."""
    started = subprocess.Popen(
        [sys.executable, "-c", program, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield started.pid, int(started.stdout.readline())
    finally:
        started.stdin.close()
        started.wait(10)
        started.stdout.close()


def ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    "program", [LISTENING, WITH_A_CHILD, ORPHAN_LEFT], ids=["own", "child", "orphan"]
)
@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("127.0.0.1", None),
        ("127.0.0.2", None),
        ("0.0.0.0", "every interface"),
        pytest.param("::1", None, marks=pytest.mark.skipif(not ipv6(), reason="no IPv6")),
        pytest.param(
            "::", "every interface", marks=pytest.mark.skipif(not ipv6(), reason="no IPv6")
        ),
    ],
)
def test_a_port_is_found_and_judged_by_its_address(
    program: str, address: str, where: str | None
) -> None:
    with running(program, address) as (pid, port):
        found = [one for one in listeners({"jobserver": pid}) if one.port == port]
        assert found
        problem = found[0].problem()
    if where is None:
        assert problem is None
    else:
        assert problem == f"jobserver listens on {where} at port {port}, pid {found[0].pid}"


def test_an_address_of_the_machine_is_wide_unless_the_cluster_names_it() -> None:
    at = address_of("020200C0")
    assert str(at) == "192.0.2.2"
    one = Listener("kafka", 9092, at, 7)
    assert one.problem() == "kafka listens on the address 192.0.2.2 at port 9092, pid 7"
    assert one.problem(allowed=("192.0.2.2",)) is None


def test_a_client_socket_is_no_listener() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        found = {one.port for one in listeners({"me": os.getpid()})}
        assert server.getsockname()[1] in found
        assert client.getsockname()[1] not in found


def test_a_process_that_ended_has_no_ports() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert listeners({"gone": ended.pid}) == []


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0100007F", "127.0.0.1"),
        ("00000000", "0.0.0.0"),
        ("00000000000000000000000000000000", "::"),
        ("00000000000000000000000001000000", "::1"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
        ("0000000000000000FFFF000000000000", "0.0.0.0"),
    ],
)
def test_addresses_are_read_as_the_kernel_writes_them(text: str, address: str) -> None:
    assert str(address_of(text)) == address


@given(st.ip_addresses())
def test_every_address_is_read_back(address) -> None:
    packed = address.packed
    text = "".join(packed[at : at + 4][::-1].hex() for at in range(0, len(packed), 4)).upper()
    wanted = getattr(address, "ipv4_mapped", None) or address
    assert address_of(text) == wanted
