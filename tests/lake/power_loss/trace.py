"""The system calls of a program, as steps of a simulated disk.

`strace` records what a program and its processes write. A FUSE layer would need rights to mount, an
interposed library would miss calls of the library for tables. The recorded calls are played again
on a simulated disk (`disk`), call by call.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lake.power_loss.disk import Disk

CALLS = (
    "open,openat,creat,write,pwrite64,writev,pwritev,fsync,fdatasync,link,linkat,rename,renameat,"
    "renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,truncate,ftruncate,fallocate,copy_file_range"
)
_CALL = re.compile(
    r"^(?P<process>\d+) +(?P<name>\w+)\((?P<inside>.*)\) += (?P<result>-?\d+)(<.*)?$"
)
_PART = re.compile(r"^(?P<process>\d+) +(?P<start>\w+\(.*) <unfinished \.\.\.>$")
_REST = re.compile(r"^(?P<process>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)$")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FILE = re.compile(r"<((?:\\x[0-9a-f]{2})+)(?:\(deleted\))?>")


@dataclass(frozen=True)
class Call:
    """A call that succeeded: name, texts, the path of its first descriptor, and its arguments."""

    name: str
    texts: list[bytes]
    path: str
    arguments: str


def has_strace() -> bool:
    """Whether this machine has strace, and lets it trace."""
    found = shutil.which("strace")
    if found is None:
        return False
    return subprocess.run([found, "-o", "/dev/null", "true"], check=False).returncode == 0


def record(log: Path, *program: str) -> None:
    """Run a module of Python with arguments, and write its calls to a file."""
    command = [
        "strace",
        "-f",
        "-y",
        "-xx",
        "-s",
        "50000000",
        "-o",
        str(log),
        "-e",
        f"trace={CALLS}",
    ]
    subprocess.run([*command, sys.executable, "-m", *program], check=True)


def calls(log: Path) -> Iterator[Call]:
    """The calls of a log that succeeded, in the order of their ends."""
    started: dict[str, str] = {}
    with log.open(encoding="ascii") as lines:
        for line in lines:
            text = line.rstrip("\n")
            if part := _PART.match(text):
                started[part["process"]] = part["start"]
                continue
            if rest := _REST.match(text):
                text = f"{rest['process']} {started.pop(rest['process'])}{rest['rest']}"
            found = _CALL.match(text)
            if found and not found["result"].startswith("-"):
                yield _call(found["name"], found["inside"])


def _call(name: str, inside: str) -> Call:
    texts = [_bytes(one) for one in _TEXT.findall(inside)]
    files = _FILE.findall(inside)
    return Call(name, texts, _bytes(files[0]).decode() if files else "", inside)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def play(call: Call, disk: Disk, root: str) -> bool:
    """Play a call on a disk; False if it changes nothing under the root."""
    name = call.name
    # A relative path follows the descriptor of its folder.
    paths = [str(Path(call.path) / text.decode("utf-8", "replace")) for text in call.texts]
    if name in {"write", "pwrite64", "fsync", "fdatasync"}:
        if not _is_in(call.path, root):
            return False
        if name in {"fsync", "fdatasync"}:
            disk.sync(call.path)
        else:
            assert name == "write", f"{name} of {call.path} is not simulated"
            disk.file(call.path).content += call.texts[0]
        return True
    if not paths or not all(_is_in(path, root) for path in paths):
        return False
    if name in {"open", "openat"}:
        if "O_WRONLY" not in call.arguments and "O_RDWR" not in call.arguments:
            return False
        disk.open(paths[0], empties="O_TRUNC" in call.arguments)
    elif name in {"mkdir", "mkdirat"}:
        disk.make(paths[0])
    elif name in {"link", "linkat"}:
        disk.link(*paths)
    elif name in {"rename", "renameat", "renameat2"}:
        disk.rename(*paths)
    elif name in {"unlink", "unlinkat", "rmdir"}:
        disk.unlink(paths[0])
    else:
        raise AssertionError(f"{name} is not simulated")
    return True


def _is_in(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")
