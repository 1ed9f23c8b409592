"""Processor seconds of a process's threads, including threads that ended while watched."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Thread:
    """A thread. name: the system's name for it. seconds: its processor time."""

    name: str
    seconds: float


def threads_of(pid: int) -> dict[int, Thread]:
    """The threads by number; empty without such a process or without /proc."""
    tick, found = os.sysconf("SC_CLK_TCK"), {}
    with suppress(OSError):
        for folder in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                head, _, rest = (folder / "stat").read_text().rpartition(")")
                fields = rest.split()
                found[int(folder.name)] = Thread(
                    head.partition("(")[2], (int(fields[11]) + int(fields[12])) / tick
                )
    return found


class ThreadTimes(threading.Thread):
    """Watches the threads of a process until `stop`. Time used before that is not counted."""

    def __init__(self, pid: int, pause: float = 0.5) -> None:
        super().__init__(daemon=True, name="tocsin-profile")
        self._pid, self._pause = pid, pause
        self._before = threads_of(pid)
        self._seen: dict[int, Thread] = {}
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look regularly, to see threads that end."""
        while not self._stopped.wait(self._pause):
            self._seen |= threads_of(self._pid)

    def stop(self) -> dict[int, Thread]:
        """Processor time of each thread since the start."""
        self._stopped.set()
        self.join()
        seen = self._seen | threads_of(self._pid)
        used = {
            tid: one.seconds - (self._before[tid].seconds if tid in self._before else 0.0)
            for tid, one in seen.items()
        }
        return {tid: Thread(one.name, used[tid]) for tid, one in seen.items() if used[tid] > 0}
