"""Seeds of a worker pool, one for each code that it has seen lately, and the workers that were forked from them."""

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
# Zygotes that are kept: that of the job that runs, and that of the one that follows it in an upgrade.
KEPT = 2
_START = 120.0
_END = 3.0


class ForkedWorker:
    """A worker, as its pool sees it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid = 0
        self.code: int | None = None
        self.started, self.ended = threading.Event(), threading.Event()


class ZygoteOfCode:
    """A seed process and its workers."""

    def __init__(self, code: Path, environment: Mapping[str, str]) -> None:
        self.code = code
        self.workers: dict[str, ForkedWorker] = {}
        ours, theirs = socket.socketpair()
        self._asked = ours
        command = [sys.executable, "-m", "tocsin.engines.beam.workers.zygote", str(theirs.fileno())]
        # Not in the folder that the pool was started in: its modules are not the job's.
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
        """Whether it can fork more."""
        return self._process.poll() is None

    def start(self, name: str, control: str, logs: str) -> ForkedWorker:
        """A worker that runs. Raises Failure where the seed has died."""
        worker = self.workers[name] = ForkedWorker(name)
        self._say({"start": name, "control": control, "logging": logs})
        if not worker.started.wait(_START) or not worker.pid:
            raise Failure(
                f"no worker could be started with the code {self.code.name}; the worker pool's log says why"
            )
        return worker

    def stop(self, worker: ForkedWorker) -> None:
        """End a worker, by force where it does not listen."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not worker.ended.is_set():
                self._signal(worker, number)
                worker.ended.wait(_END)

    def end(self) -> None:
        """End all its workers, and itself."""
        for worker in list(self.workers.values()):
            self.stop(worker)
        with suppress(OSError):
            self._asked.shutdown(socket.SHUT_RDWR)
        self._process.terminate()
        self._process.wait()

    def _signal(self, worker: ForkedWorker, number: int) -> None:
        if self.is_alive:
            self._say({"stop": worker.name, "signal": int(number)})
            return
        # It has outlived its seed, which is the only one that could say that it has ended.
        with suppress(ProcessLookupError):
            os.kill(worker.pid, number)

    def _say(self, message: dict[str, Any]) -> None:
        with suppress(OSError):
            self._asked.sendall(json.dumps(message).encode() + b"\n")

    def _listen(self) -> None:
        with suppress(OSError), self._asked.makefile("rb") as lines:
            for line in lines:
                self._hear(json.loads(line))
        for worker in list(self.workers.values()):
            worker.started.set()

    def _hear(self, message: dict[str, Any]) -> None:
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
    """By the folder of their code."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._seeds: dict[Path, ZygoteOfCode] = {}
        self._lock = threading.Lock()

    def of(self, code: Path) -> ZygoteOfCode:
        """The code's seed, begun where there is none. Those that were used longest ago and have no worker end."""
        with self._lock:
            seed = self._seeds.pop(code, None)
            if seed is None or not seed.is_alive:
                path = os.pathsep.join(filter(None, [str(code), os.environ.get("PYTHONPATH", "")]))
                seed = ZygoteOfCode(code, {**self._environment, "PYTHONPATH": path})
            self._seeds[code] = seed
            idle = [one for one in self._seeds.values() if not one.workers and one is not seed]
            for one in idle[: max(0, len(self._seeds) - KEPT)]:
                del self._seeds[one.code]
                one.end()
            return seed

    def end(self) -> None:
        """End all."""
        with self._lock:
            for seed in self._seeds.values():
                seed.end()
            self._seeds.clear()
