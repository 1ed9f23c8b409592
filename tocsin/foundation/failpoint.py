"""Failpoints: named positions in a commit at which a test can kill the process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

FAILPOINTS_VARIABLE = "TOCSIN_FAILPOINTS"

LAKE = ("lake.begin", "lake.written", "table.begin", "table.committed")
ALARMS = ("alarms.begin", "alarms.begun", "alarms.produced", "alarms.marked", "alarms.committed")
"""All failpoints of a commit to a lake and to an alarm topic, in order."""
EMBEDDED = (
    "round.played",
    "round.flushed",
    "checkpoint.begin",
    "checkpoint.written",
    "checkpoint.committed",
)
"""All failpoints of a round of the embedded engine and of its checkpoint, in order."""


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if the folder $TOCSIN_FAILPOINTS has a file of that name.

    The file is deleted first, so the process dies once.
    """
    folder = os.environ.get(FAILPOINTS_VARIABLE)
    if not folder:
        return
    try:
        (Path(folder) / name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
