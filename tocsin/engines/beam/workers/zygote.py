"""The zygote: a process that has loaded a job's code and forks workers from itself.

Run as `python -m tocsin.engines.beam.workers.zygote SOCKET`.

A worker that starts by itself spends 1.5 s of processor time on imports before its first reading.
A forked worker reads at once, which shortens the restart after a failure.
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

# Libraries that a worker needs sooner or later, and folders of tocsin that it does not.
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
    """Import the modules of workers. No thread may start here, because a fork would lack it."""
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
    # The first call of any compiled function sets up the compiler, which takes 0.25 s.
    group_ids([pa.array(["a", "b"])])


def name_process(name: str) -> None:
    """Set the name that `ps` and `top` show, at most 15 characters. Only Linux supports it."""
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(_SET_NAME, name.encode(), 0, 0, 0)


class Zygote:
    """Forks workers on request, and reports which have started and ended.

    Requests and reports are lines of JSON on one socket.
    Requests: {"start": name, "control": address, "logging": address},
    {"stop": name, "signal": number}.
    Reports: {"started": name, "pid": number}, {"ended": name, "code": number}.
    """

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._names: dict[int, str] = {}
        self._rest = b""
        self._deaths, wake = socket.socketpair()
        self._deaths.setblocking(False)
        wake.setblocking(False)
        self._wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno())

    def serve(self) -> None:
        """Serve until the pool closes the socket. Workers outlive it."""
        while True:
            ready, _, _ = select.select([self._requests, self._deaths], [], [])
            if self._deaths in ready:
                self._deaths.recv(4096)
                self._reap()
            if self._requests in ready:
                more = self._requests.recv(65536)
                if not more:
                    return
                *lines, self._rest = (self._rest + more).split(b"\n")
                for line in lines:
                    self._handle(json.loads(line))

    def _handle(self, message: dict[str, Any]) -> None:
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
            self._run_worker(name, control, logging)
        self._names[pid] = name
        self._report({"started": name, "pid": pid})

    def _run_worker(self, name: str, control: str, logging: str) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for inherited in (self._requests, self._deaths, self._wake):
                inherited.close()
            name_process("tocsin-worker")
            worker.work(name, control, logging)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001 - a forked worker must end here, whatever it raises
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
            self._report({"ended": name, "code": os.waitstatus_to_exitcode(status)})

    def _report(self, message: dict[str, Any]) -> None:
        # If the pool is gone, `serve` ends by itself.
        with suppress(OSError):
            self._requests.sendall(json.dumps(message).encode() + b"\n")


def main() -> None:
    """Load the code, then serve."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    name_process("tocsin-zygote")
    # Ctrl-C reaches the whole process group, but the pool decides which processes end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load()
    # Loaded modules are never garbage. Frozen, no worker scans them, which would copy their pages.
    gc.freeze()
    Zygote(requests).serve()


if __name__ == "__main__":
    main()
