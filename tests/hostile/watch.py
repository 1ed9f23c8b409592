"""What a process touches: events of Python's audit hook, and native reads by inotify."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.chmod",
    "os.chown", "os.truncate", "os.utime", "shutil.rmtree", "shutil.move",
}  # fmt: skip
CONNECTIONS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
PROCESSES = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "pty.spawn"}
# Of inotify: modified, opened, moved to, created. Native code makes a folder without opening it.
TOUCHED = 0x2 | 0x20 | 0x80 | 0x100


class AuditTrail:
    """The audit events of a process, as (kind, subject): read, write, connect or start.

    An audit hook cannot be removed. It records only while `is_on`.
    """

    def __init__(self) -> None:
        self.found: set[tuple[str, str]] = set()
        self.is_on = False
        sys.addaudithook(self._hook)

    def take(self) -> list[tuple[str, str]]:
        """The events since the last call."""
        found, self.found = self.found, set()
        return sorted(found)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event == "open":
            path, mode, flags = arguments
            is_writing = bool((flags or 0) & WRITING) or any(one in (mode or "") for one in "wax+")
            self._file("write" if is_writing else "read", path)
        elif event in ("os.listdir", "os.scandir"):
            self._file("read", arguments[0] or ".")
        elif event in CHANGES:
            self._file("write", arguments[0])
        elif event in CONNECTIONS:
            self.found.add(("connect", str(arguments[1:] if "connect" in event else arguments)))
        elif event in PROCESSES:
            self.found.add(("start", f"{event} {arguments[0]!r}"[:200]))

    def _file(self, kind: str, path: Any) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            self.found.add((kind, os.path.abspath(os.fsdecode(path))))  # noqa: PTH100 - a link stays one


class TouchedFiles:
    """What any process opens or makes in a folder and its folders, native code included."""

    def __init__(self, folder: Path) -> None:
        self._c = ctypes.CDLL(None, use_errno=True)
        self._at = self._c.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._at < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        self._names: dict[int, Path] = {}
        for one in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            self._names[self._c.inotify_add_watch(self._at, os.fsencode(one), TOUCHED)] = one

    def take(self) -> list[str]:
        """The paths touched so far; a folder is opened when its files are listed."""
        found: list[str] = []
        while True:
            try:
                events = os.read(self._at, 65_536)
            except BlockingIOError:
                return sorted(set(found))
            while events:
                which, _, _, size = struct.unpack_from("iIII", events)
                name = events[16 : 16 + size].rstrip(b"\0")
                found.append(str(self._names[which] / os.fsdecode(name)))
                events = events[16 + size :]

    def close(self) -> None:
        """Stop watching."""
        os.close(self._at)
