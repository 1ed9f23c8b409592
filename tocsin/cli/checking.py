"""The check of a job file from the command line, with limits of time and memory."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tocsin.cli.console import WRONG, complain
from tocsin.compiler.checker import check_file
from tocsin.compiler.diagnostics import Problem
from tocsin.compiler.job import Job

# What the check of a job that is not trusted may take: seconds, and bytes of memory beyond those
# held before it. Sizes and counts are bounded one by one; this holds what they forget.
MOST_SECONDS = 120.0
MOST_BYTES = 2 << 30
# Seconds between two looks at the memory.
_PACE = 0.05
# Seconds that the watching thread has for its sentence, before the kernel ends the process.
_GRACE = 10.0


def check_job(file: str, *, trusted: bool = False) -> tuple[Job, list[Problem]]:
    """The job and its warnings, as `check_file`.

    A job that is not trusted and needs more than the limits ends the command with a sentence and
    exit code 2.
    """
    if trusted:
        return check_file(file, trusted=True)
    with limited(f"the check of {file}", MOST_SECONDS, MOST_BYTES):
        return check_file(file)


@contextmanager
def limited(what: str, seconds: float, size: int) -> Iterator[None]:
    """End the process with a sentence if the body takes longer, or more memory than before it.

    The work may be in C and never return to Python, so it is the process that ends. Where C also
    keeps the interpreter from the watching thread, an alarm of the kernel follows.

    Args:
        what: the work, for the sentence.
        seconds: of the clock.
        size: bytes of resident memory.
    """
    is_done = threading.Event()
    watching = threading.Thread(
        target=_watch, args=(is_done, what, seconds, _resident() + size), daemon=True
    )
    watching.start()
    with _alarm(seconds + _GRACE):
        try:
            yield
        finally:
            is_done.set()


def _watch(is_done: threading.Event, what: str, seconds: float, most: int) -> None:
    end = time.monotonic() + seconds
    while not is_done.wait(_PACE):
        if time.monotonic() > end:
            _end(f"{what} takes longer than {seconds:g} s, which no job needs")
        if _resident() > most:
            _end(f"{what} takes more memory than a job needs")


def _end(sentence: str) -> None:
    complain(sentence)
    os._exit(WRONG)


def _resident() -> int:
    """Bytes of memory that this process holds; 0 where the kernel does not say."""
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Let the kernel end the process after some seconds; not in a thread, which has no alarm."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
