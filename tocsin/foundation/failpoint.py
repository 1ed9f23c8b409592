"""Failpoints: named places in a commit where a test may let a process die."""

from __future__ import annotations

import os
import signal
from pathlib import Path

FAILPOINTS_VARIABLE = "TOCSIN_FAILPOINTS"

LAKE = ("lake.begin", "lake.written", "lake.moved")
ALARMS = ("alarms.begin", "alarms.begun", "alarms.produced", "alarms.marked", "alarms.committed")
"""The steps of a commit, in their order: all places at which `failpoint` is called."""


def failpoint(name: str) -> None:
    """Die here, as by `kill -9`, where the folder in $TOCSIN_FAILPOINTS holds a file of that name; the file goes, so once."""
    folder = os.environ.get(FAILPOINTS_VARIABLE)
    if not folder:
        return
    try:
        (Path(folder) / name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
