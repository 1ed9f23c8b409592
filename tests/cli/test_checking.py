"""A check that takes too long or too much memory ends with a sentence."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.support.packages import ROOT, command_environment
from tocsin.cli.checking import limited

# What runs, its seconds, and how the process ends.
BODIES = {
    "time": ("while True: pass", 0.5, 2, "the check of a.yaml takes longer than 0.5 s"),
    "time in C": ("import threading; threading.Event().wait()", 0.5, 2, "takes longer than 0.5 s"),
    "memory": (
        "kept = []\nwhile True: kept.append(bytearray(1 << 20))",
        60,
        2,
        "takes more memory than a job needs",
    ),
    "a loop in C that lets no other thread run": (
        "sum(iter(int, 1))",
        0.5,
        -signal.SIGALRM,
        "",
    ),
}


@pytest.mark.parametrize("kind", BODIES)
def test_the_process_ends(kind: str) -> None:
    body, seconds, code, sentence = BODIES[kind]
    program = (
        "import tocsin.cli.checking as checking\n"
        "checking._GRACE = 1\n"
        f"with checking.limited('the check of a.yaml', {seconds}, 64 << 20):\n"
    ) + "".join(f"    {line}\n" for line in body.splitlines())
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env=command_environment(),
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_work_within_its_limits_leaves_no_alarm() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with limited("the check", 60, 1 << 30):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) == before
