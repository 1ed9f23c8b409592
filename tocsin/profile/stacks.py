"""Stacks of a process's threads, looked at by py-spy, and what each part of the work had of the processor."""

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

# Looks a second; and seconds that nothing takes.
RATE = 100
_LONG = "86400"
_PR_SET_PTRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)
_THREAD = re.compile(r"thread \((0x[0-9a-fA-F]+|\d+)\):? ?(.*)")
# A thread that is in one of these waits; py-spy cannot always tell.
_WAITING = {
    "wait", "_wait_once", "acquire", "get", "channel_spin", "_wait_for_tstate_lock", "select", "poll", "sleep", "join", "result",
}  # fmt: skip


@dataclass(frozen=True)
class Stack:
    """thread: its number. frames: from the outermost, `function (file)`. count: how often it was seen."""

    thread: int
    frames: tuple[str, ...]
    count: int

    @property
    def waits(self) -> bool:
        """Whether nothing is done in it."""
        function = self.frames[-1].partition(" ")[0].rpartition(".")[2] if self.frames else ""
        return function in _WAITING


class Spy:
    """text: what py-spy has written, once `recording` has ended."""

    text = ""

    def stacks(self) -> list[Stack]:
        """Without line numbers, those of one thread and frames put together."""
        return folded(self.text.splitlines())


def folded(lines: Iterable[str]) -> list[Stack]:
    """py-spy's lines: `thread (number): name;function (file:line);… count`.

    It looks without stopping the process: a name may be read while it changes, and its line is broken; such are left out.
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
    """Look at a process until the block ends. Raises Failure where py-spy is missing or may not look."""
    command = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which(
        "py-spy"
    )
    if command is None:
        raise Failure("a profile needs py-spy: pip install 'tocsin[profile]'")
    # A system may let a process be looked at by its parents only; this one says that its child may, too.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    found = Spy()
    with tempfile.TemporaryDirectory() as folder:
        file, said = Path(folder) / "stacks.txt", Path(folder) / "said.txt"
        given = [
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
        with said.open("wb") as log:
            spy = subprocess.Popen(
                [command, *given, "--duration", _LONG, "--output", str(file)],
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
            raise Failure(
                f"py-spy saw nothing: {said.read_text(errors='replace').strip()[-300:] or 'the run was too short'}"
            )
        found.text = file.read_text("utf-8", errors="replace")


def weighed(stacks: Iterable[Stack], threads: Mapping[int, Thread]) -> list[tuple[Stack, float]]:
    """Processor seconds of each stack: those of its thread, by how often it was seen at work. Threads without a stack (of
    libraries in C) are a stack of their own name.
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
