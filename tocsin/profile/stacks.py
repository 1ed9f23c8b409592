"""Stacks of a process's threads, sampled by py-spy, with the processor time of each."""

from __future__ import annotations

import ctypes
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tocsin.foundation.failure import Failure
from tocsin.profile.threads import Thread

# Samples a second; and seconds that no run takes.
RATE = 100
_LONG = "86400"
_PR_SET_PTRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)
_THREAD = re.compile(r"thread \((0x[0-9a-fA-F]+|\d+)\):? ?(.*)")
# A thread in one of these functions waits; py-spy does not always recognise that.
_WAITING = {
    "_wait_for_tstate_lock",
    "_wait_once",
    "acquire",
    "channel_spin",
    "get",
    "join",
    "poll",
    "result",
    "select",
    "sleep",
    "wait",
}


@dataclass(frozen=True)
class Stack:
    """thread: its number. frames: `function (file)`, outermost first. count: number of samples."""

    thread: int
    frames: tuple[str, ...]
    count: int

    @property
    def waits(self) -> bool:
        """Whether the thread was waiting."""
        function = self.frames[-1].partition(" ")[0].rpartition(".")[2] if self.frames else ""
        return function in _WAITING


class Spy:
    """A run of py-spy. text: its output, once `recording` has ended."""

    text = ""

    def stacks(self) -> list[Stack]:
        """The stacks without line numbers, equal stacks of a thread added up."""
        return folded(self.text.splitlines())


def folded(lines: Iterable[str]) -> list[Stack]:
    """Stacks from py-spy's lines: `thread (number): name;function (file:line);… count`.

    py-spy does not stop the process, so it may read a name while it changes. Such broken lines are
    skipped.
    """
    found: dict[tuple[int, tuple[str, ...]], int] = {}
    for line in lines:
        text, _, count = line.rpartition(" ")
        head, *frames = text.split(";")
        match = _THREAD.match(head)
        if match is None or not count.isdigit():
            continue
        plain = tuple(re.sub(r":\d+\)$", ")", frame) for frame in frames)
        key = int(match[1], 0), plain
        found[key] = found.get(key, 0) + int(count)
    return [Stack(thread, frames, count) for (thread, frames), count in found.items()]


@contextmanager
def recording(pid: int, rate: int = RATE) -> Iterator[Spy]:
    """Sample a process until the block ends.

    Raises Failure if py-spy is not installed or not permitted.
    """
    command = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which(
        "py-spy"
    )
    if command is None:
        raise Failure("a profile needs py-spy: pip install 'tocsin[profile]'")
    # Some systems permit only parents to trace a process; this permits the child py-spy, too.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    found = Spy()
    with tempfile.TemporaryDirectory() as folder:
        file, messages = Path(folder) / "stacks.txt", Path(folder) / "messages.txt"
        options = [
            "record",
            "--pid",
            str(pid),
            "--rate",
            str(rate),
            "--format",
            "raw",
            "--threads",
            "--nonblocking",
        ]
        with messages.open("wb") as log:
            spy = subprocess.Popen(
                [command, *options, "--duration", _LONG, "--output", str(file)],
                stdout=log,
                stderr=log,
            )
            try:
                yield found
            finally:
                with suppress(ProcessLookupError):
                    spy.send_signal(signal.SIGINT)
                spy.wait(60)
        if not file.exists():
            reason = messages.read_text(errors="replace").strip()[-300:] or "the run was too short"
            raise Failure(f"py-spy recorded no stacks: {reason}")
        found.text = file.read_text("utf-8", errors="replace")


def weighed(stacks: Iterable[Stack], threads: Mapping[int, Thread]) -> list[tuple[Stack, float]]:
    """Processor seconds of each stack: its thread's seconds, shared by the samples that work.

    A thread without stacks, such as one of a C library, is a stack with the thread's name.
    """
    by_thread: dict[int, list[Stack]] = {}
    for stack in stacks:
        by_thread.setdefault(stack.thread, []).append(stack)
    found = []
    for number, thread in threads.items():
        own = by_thread.get(number, [])
        busy = (
            [stack for stack in own if not stack.waits]
            or own
            or [Stack(number, (f"[{thread.name}]",), 1)]
        )
        total = sum(stack.count for stack in busy)
        found += [(stack, thread.seconds * stack.count / total) for stack in busy]
    return found
