"""The cost of a run: processor time by process, and peak memory."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Cost:
    """One run of one contender.

    wall: seconds. engine: processor seconds of the processes that do the work. around: processor
    seconds of those that only start it (client, JobManager, job server). memory: peak of the
    engine's processes together, MiB. parts: processor seconds by process.
    """

    wall: float
    engine: float
    around: float
    memory: float
    parts: dict[str, float] = field(default_factory=dict)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def children(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def processor_seconds(pid: int) -> float:
    """Processor seconds of a process and its descendants, including ended ones."""
    ticks = 0
    for one in children(pid):
        with suppress(OSError):
            ticks += sum(int(value) for value in _stat(one)[11:15])
    return ticks / TICK


def resident(pids: list[int]) -> float:
    """Memory of processes and their descendants, MiB."""
    pages = 0
    for pid in pids:
        for one in children(pid):
            with suppress(OSError):
                pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
    return pages * PAGE / 2**20


class Memory(threading.Thread):
    """Samples the memory of processes until it is stopped."""

    def __init__(self, pids: list[int], pause: float = 0.25) -> None:
        super().__init__(daemon=True)
        self.pids, self.pause = pids, pause
        self.most = 0.0
        self._stopped = threading.Event()

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._stopped.wait(self.pause):
            self.most = max(self.most, resident(self.pids))

    def stop(self) -> float:
        """The greatest sample, MiB."""
        self._stopped.set()
        self.join()
        return self.most


def command(
    arguments: list[str], environment: Mapping[str, str], log: Path, limit: float = 900
) -> Cost:
    """Run a program to its end. Raises RuntimeError with the end of its output if it fails."""
    began = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(
            arguments, env={**os.environ, **environment}, stdout=file, stderr=file
        )
        memory = Memory([process.pid])
        memory.start()
        try:
            seconds = _wait(process, limit)
        finally:
            process.kill()
            most = memory.stop()
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(arguments[:4])} … ended with {process.returncode}: "
            f"{log.read_text()[-2000:]}"
        )
    return Cost(time.monotonic() - began, seconds, 0.0, most, {"program": seconds})


def _wait(process: subprocess.Popen[bytes], limit: float) -> float:
    """Processor seconds of a process that has ended."""
    deadline = time.monotonic() + limit
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_utime + usage.ru_stime
        if time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not end within {limit:.0f} s")
        time.sleep(0.05)
