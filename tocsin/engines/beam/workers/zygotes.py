"""The zygotes of a worker pool, one for each recent code version, and their forked workers."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tocsin.foundation.failure import Failure

_LOG = logging.getLogger("tocsin.workers")
# Zygotes that are kept: the running job's, and its successor's during an upgrade.
KEPT = 2
# Seconds to wait for a worker to start, and to end after a signal.
_START = 120.0
_END = 3.0


class ForkedWorker:
    """A worker process. pid: 0 until it has started. code: its exit code, None while it runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid = 0
        self.code: int | None = None
        self.started, self.ended = threading.Event(), threading.Event()


class ZygoteOfCode:
    """The zygote of one code version, and the workers that it has forked.

    code: folder of the code. environment: of the process.
    """

    def __init__(self, code: Path, environment: Mapping[str, str]) -> None:
        self.code = code
        self.workers: dict[str, ForkedWorker] = {}
        ours, theirs = socket.socketpair()
        self._requests = ours
        command = [sys.executable, "-m", "tocsin.engines.beam.workers.zygote", str(theirs.fileno())]
        # Python imports from the working folder, so it is the job's code, not the pool's folder.
        self._process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            cwd=code,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def is_alive(self) -> bool:
        """Whether it can fork more workers."""
        return self._process.poll() is None

    def start(self, name: str, control: str, logs: str) -> ForkedWorker:
        """A running worker. Raises Failure where the zygote has died.

        name: the worker's id. control, logs: addresses of the runner's services.
        """
        worker = self.workers[name] = ForkedWorker(name)
        self._send({"start": name, "control": control, "logging": logs})
        if not worker.started.wait(_START) or not worker.pid:
            raise Failure(
                f"no worker could be started with the code {self.code.name}; "
                "the worker pool's log says why"
            )
        return worker

    def stop(self, worker: ForkedWorker) -> None:
        """End a worker: SIGTERM first, SIGKILL where it does not end in time."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not worker.ended.is_set():
                self._signal(worker, number)
                worker.ended.wait(_END)

    def end(self) -> None:
        """End all workers, then the zygote."""
        for worker in list(self.workers.values()):
            self.stop(worker)
        with suppress(OSError):
            self._requests.shutdown(socket.SHUT_RDWR)
        self._process.terminate()
        self._process.wait()

    def _signal(self, worker: ForkedWorker, number: int) -> None:
        if self.is_alive:
            self._send({"stop": worker.name, "signal": int(number)})
            return
        # The zygote has died, so nothing can report the worker's end.
        with suppress(ProcessLookupError):
            os.kill(worker.pid, number)

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(OSError):
            self._requests.sendall(json.dumps(message).encode() + b"\n")

    def _listen(self) -> None:
        with suppress(OSError), self._requests.makefile("rb") as lines:
            for line in lines:
                self._handle(json.loads(line))
        for worker in list(self.workers.values()):
            worker.started.set()

    def _handle(self, message: dict[str, Any]) -> None:
        if "started" in message:
            worker = self.workers[message["started"]]
            worker.pid = message["pid"]
            worker.started.set()
            return
        ended = self.workers.pop(message["ended"], None)
        if ended is not None:
            ended.code = message["code"]
            ended.ended.set()
            _LOG.warning("worker %s (pid %d) ended with %d", ended.name, ended.pid, ended.code)


class Zygotes:
    """Zygotes by the folder of their code. environment: of all their processes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._zygotes: dict[Path, ZygoteOfCode] = {}
        self._lock = threading.Lock()

    def of(self, code: Path) -> ZygoteOfCode:
        """The zygote of a code folder, started where none is alive.

        More than `KEPT` zygotes: the least recently used without workers end.
        """
        with self._lock:
            zygote = self._zygotes.pop(code, None)
            if zygote is None or not zygote.is_alive:
                path = os.pathsep.join(filter(None, [str(code), os.environ.get("PYTHONPATH", "")]))
                zygote = ZygoteOfCode(code, {**self._environment, "PYTHONPATH": path})
            self._zygotes[code] = zygote
            idle = [one for one in self._zygotes.values() if not one.workers and one is not zygote]
            for one in idle[: max(0, len(self._zygotes) - KEPT)]:
                del self._zygotes[one.code]
                one.end()
            return zygote

    def end(self) -> None:
        """End all zygotes and their workers."""
        with self._lock:
            for zygote in self._zygotes.values():
                zygote.end()
            self._zygotes.clear()
