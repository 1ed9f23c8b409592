"""A process that has loaded a job\'s code and forks workers of it.

Run as `python -m tocsin.engines.beam.workers.zygote SOCKET`.

A worker that starts by itself imports for a second and a half of processor time before it sees its first reading; one that is
forked from here sees it at once, which counts when a job starts again after a failure.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import Any

import pyarrow as pa

import tocsin
from tocsin.engines.beam.workers import worker
from tocsin.kernels.aggregation.grouping import group_ids

# What a worker needs sooner or later, and what of ours it does not.
_LIBRARIES = (
    "confluent_kafka",
    "fastavro",
    "numba",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pyruhvro",
)
_NOT_WORKERS = ("cli", "simulator", "laws", "__main__")
_SET_NAME = 15


def load() -> None:
    """Import what workers need. No thread of ours may start here: a fork would not have it."""
    ours = (
        found.name
        for found in pkgutil.walk_packages(tocsin.__path__, "tocsin.")
        if found.name.split(".")[1] not in _NOT_WORKERS
    )
    for name in (*_LIBRARIES, *ours):
        # A part's library may not be installed, or a part of the project may be unfinished.
        # The job that uses it reports that.
        with suppress(Exception):
            importlib.import_module(name)
    # The first call of any compiled function sets up the compiler, a quarter of a second.
    group_ids([pa.array(["a", "b"])])


def name_process(name: str) -> None:
    """What `ps` and `top` show; at most 15 characters. Only Linux has a way to say it."""
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(_SET_NAME, name.encode(), 0, 0, 0)


class Zygote:
    """Forks workers as a socket's lines ask, and says on it which have started and ended.

    Comes: {"start": name, "control": address, "logging": address}, {"stop": name, "signal": number}.
    Goes: {"started": name, "pid": number}, {"ended": name, "code": number}.
    """

    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._names: dict[int, str] = {}
        self._rest = b""
        self._deaths, wake = socket.socketpair()
        self._deaths.setblocking(False)
        wake.setblocking(False)
        self._wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno())

    def serve(self) -> None:
        """Until the other side is gone; workers go on without."""
        while True:
            ready, _, _ = select.select([self._asked, self._deaths], [], [])
            if self._deaths in ready:
                self._deaths.recv(4096)
                self._reap()
            if self._asked in ready:
                more = self._asked.recv(65536)
                if not more:
                    return
                *lines, self._rest = (self._rest + more).split(b"\n")
                for line in lines:
                    self._do(json.loads(line))

    def _do(self, message: dict[str, Any]) -> None:
        if "start" in message:
            self._start(message["start"], message["control"], message["logging"])
            return
        for pid, name in self._names.items():
            if name == message["stop"]:
                os.kill(pid, message["signal"])

    def _start(self, name: str, control: str, logging: str) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become(name, control, logging)
        self._names[pid] = name
        self._say({"started": name, "pid": pid})

    def _become(self, name: str, control: str, logging: str) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for end in (self._asked, self._deaths, self._wake):
                end.close()
            name_process("tocsin-worker")
            worker.work(name, control, logging)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while self._names:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            name = self._names.pop(pid, "")
            self._say({"ended": name, "code": os.waitstatus_to_exitcode(status)})

    def _say(self, message: dict[str, Any]) -> None:
        # Where nobody listens any more, `serve` ends by itself.
        with suppress(OSError):
            self._asked.sendall(json.dumps(message).encode() + b"\n")


def main() -> None:
    """Load, then serve."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    name_process("tocsin-seed")
    # Ctrl-C reaches a whole group of processes; the pool says what is to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load()
    # What is loaded stays: workers need not look through it for garbage, which would copy its pages, too.
    gc.freeze()
    Zygote(asked).serve()


if __name__ == "__main__":
    main()
