"""The TCP ports that processes listen on, read from /proc as `ss` does."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PROC = Path("/proc")
# The state LISTEN in the kernel's tables.
_LISTEN = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, order=True)
class Listener:
    """One open port. name: the cluster's process that opened it, or whose child did."""

    name: str
    port: int
    address: Address
    pid: int

    def problem(self, allowed: Iterable[str] = ()) -> str | None:
        """A sentence where the port is open wider than loopback and the addresses `allowed`."""
        if self.address.is_loopback or str(self.address) in allowed:
            return None
        where = "every interface" if self.address.is_unspecified else f"the address {self.address}"
        return f"{self.name} listens on {where} at port {self.port}, pid {self.pid}"


def listeners(processes: Mapping[str, int]) -> list[Listener]:
    """The listening ports of processes, their descendants and their sessions, sorted.

    processes: pid by name. A process that ended is left out. Raises PermissionError where a process
    belongs to another user, whose ports cannot be read.
    """
    names = {pid: name for name, pid in processes.items()}
    found = []
    for pid, name in _members(names).items():
        with suppress(FileNotFoundError, ProcessLookupError):
            table = _table(PROC / str(pid) / "net")
            found += [Listener(name, port, at, pid) for at, port in _open_at(pid, table)]
    return sorted(set(found), key=lambda one: (one.name, one.port, str(one.address), one.pid))


def address_of(text: str) -> Address:
    """The address that the kernel writes as 32-bit words in the byte order of this machine.

    An IPv4 address that a socket of IPv6 holds is given as IPv4.
    """
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    found = ipaddress.ip_address(b"".join(words))
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _members(names: Mapping[int, str]) -> dict[int, str]:
    """The name of each process that descends from one in `names`, or shares its session.

    A process whose parent died keeps its session.
    """
    relatives = dict(_relatives())
    members = {}
    for pid in relatives:
        ancestor, session = pid, relatives[pid][1]
        while ancestor not in names and ancestor in relatives:
            ancestor = relatives[ancestor][0]
        name = names.get(ancestor, names.get(session))
        if name is not None:
            members[pid] = name
    return members


def _relatives() -> Iterator[tuple[int, tuple[int, int]]]:
    """Each process with its parent and its session."""
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            # The name before the parenthesis may hold spaces.
            after = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            yield int(folder.name), (int(after[1]), int(after[3]))


def _table(net: Path) -> dict[str, tuple[Address, int]]:
    """Address and port of each listening socket of a network namespace, by inode."""
    found = {}
    for family in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for line in (net / family).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN:
                    address, _, port = fields[1].partition(":")
                    found[fields[9]] = address_of(address), int(port, 16)
    return found


def _open_at(pid: int, table: Mapping[str, tuple[Address, int]]) -> Iterator[tuple[Address, int]]:
    for descriptor in (PROC / str(pid) / "fd").iterdir():
        with suppress(FileNotFoundError):
            socket = _SOCKET.fullmatch(str(descriptor.readlink()))
            if socket and socket[1] in table:
                yield table[socket[1]]
