"""Processes of a round: forked from one that has the code loaded, killed, stopped and restarted."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lake.rounds.appender import append
from tests.lake.rounds.care import CARE, care
from tests.lake.rounds.reader import read
from tests.lake.rounds.stage import Stage
from tests.lake.rounds.topic import APPENDERS
from tocsin.foundation.failpoint import FAILPOINTS_VARIABLE

Role = Callable[[Stage, int, random.Random], None]
READERS = 2
_DEATH_SIGNAL = 1
ROLES: dict[str, Role] = {"append": append, "read": read, **{name: care(name) for name in CARE}}
CAST = [
    *(("append", number) for number in APPENDERS),
    *(("read", number) for number in range(READERS)),
    *((name, 0) for name in CARE),
]
"""Who takes part in a round."""


@dataclass
class Actor:
    """A running process of a role."""

    role: str
    number: int
    pid: int
    code: int | None = None

    def reap(self) -> bool:
        """Whether it has ended; `code` is then known."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def signal(self, number: int) -> None:
        """Send a signal to it, if it still runs."""
        if not self.reap():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power switch would."""
        self.signal(signal.SIGKILL)
        if self.code is None:
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)


def fork(work: Callable[[], None], errors: Path, *, failpoints: Path | None = None) -> int:
    """Do some work in a process of its own; its id. A traceback is written to a file."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        # A process of a round ends with it, even if it is killed.
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        if failpoints is not None:
            os.environ[FAILPOINTS_VARIABLE] = str(failpoints)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here, and its failure is reported
        errors.write_text(traceback.format_exc())
    finally:
        os._exit(code)


@dataclass
class Troupe:
    """All processes of a round."""

    stage: Stage
    actors: list[Actor] = field(default_factory=list)
    started: int = 0
    kills: int = 0
    stalls: int = 0

    def start(self, role: str, number: int) -> Actor:
        """Start a process of a role."""
        self.started += 1
        stage, attempt = self.stage, self.started
        chance = random.Random(f"{stage.seed} {role} {number} {attempt}")
        pid = fork(
            lambda: ROLES[role](stage, number, chance),
            stage.folder / f"error-{role}-{number}-{attempt}.txt",
            failpoints=stage.folder / "failpoints",
        )
        actor = Actor(role, number, pid)
        self.actors.append(actor)
        return actor

    def running(self, *roles: str) -> list[Actor]:
        """The processes that run, of some roles or of all."""
        return [one for one in self.actors if not one.reap() and (not roles or one.role in roles)]

    def replace_killed(self) -> None:
        """Start those again that were killed."""
        for one in list(self.actors):
            if one.reap() and one.code == -signal.SIGKILL:
                self.actors.remove(one)
                self.kills += 1
                self.start(one.role, one.number)

    def failures(self) -> list[str]:
        """What processes say that failed."""
        files = sorted(self.stage.folder.glob("error-*.txt"))
        return [
            f"{file.stem}: {(file.read_text().strip().splitlines() or ['?'])[-1]}" for file in files
        ]

    def end(self) -> None:
        """Kill all that still run."""
        for one in self.running():
            one.kill()
