"""The status of a live job of the embedded engine, in the form of a job on Flink."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tocsin.engines.embedded.other_process import status_of
from tocsin.flink.job_status import JobStatus, SplitStatus
from tocsin.foundation.ledger import Ledger


def embedded_status(folder: Path) -> JobStatus:
    """The status that the job of a folder wrote last. Raises Mistake for a folder of no job."""
    found = status_of(folder)
    until = time.time() if found["state"] == "RUNNING" else found["at"]
    counts = (
        (step, name, count)
        for step, counts in found["counts"].items()
        for name, count in counts.items()
    )
    return JobStatus(
        name=found["job"],
        id=f"process {found['process']}",
        state=found["state"],
        running_for=int((until - found["began"]) * 1000),
        restarts=None,
        checkpoints=_checkpoints(found["checkpoints"], folder),
        watermark=_milliseconds(found["watermark"]),
        splits=[
            SplitStatus(
                one["step"],
                one["partition"],
                one["position"],
                one["lag"],
                _milliseconds(one["watermark"]),
            )
            for one in found["splits"]
        ],
        ledger=Ledger.of(counts).in_order(found["steps"]),
    )


def _checkpoints(known: dict[str, Any], folder: Path) -> dict[str, Any]:
    age = int((time.time() - known["at"]) * 1000) if "at" in known else None
    return {
        "completed": known["completed"],
        "failed": known["failed"],
        "last_size": known.get("written"),
        "last_full_size": known.get("size"),
        "last_duration": known.get("duration"),
        "last_age": age,
        "last_path": str(folder) if "at" in known else None,
    }


def _milliseconds(micros: int | None) -> int | None:
    return None if micros is None else micros // 1000
