"""A live job as another process sees it: by the folder of its checkpoints."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from tocsin.engines.embedded.checkpoint_store import LOCK, replace_file
from tocsin.engines.embedded.manifest import MANIFEST, read_manifest
from tocsin.engines.embedded.watching import STATUS
from tocsin.foundation.failure import Failure, Mistake

_ATTEMPTS = 50


def process_of(folder: Path) -> int | None:
    """The process that uses a folder of checkpoints; None if none does."""
    try:
        opened = os.open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(f"cannot read {folder}: {error.strerror}") from None
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(opened, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(opened)
    return None


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of the last checkpoint. Raises Mistake for a folder without one."""
    found = read_manifest(folder)
    if found is None:
        raise Mistake(f"{folder} has no checkpoint of the embedded engine")
    return found


def status_of(folder: Path) -> dict[str, Any]:
    """What the job wrote about itself, with the `state` RUNNING, STOPPED or KILLED.

    Raises Mistake for a folder of no live job.
    """
    try:
        found: dict[str, Any] = json.loads((folder / STATUS).read_bytes())
    except FileNotFoundError:
        raise Mistake(
            f"{folder} has no status of a live job (`tocsin run JOB --live --checkpoint {folder}`)"
        ) from None
    except (OSError, ValueError):
        raise Failure(f"cannot read {folder / STATUS}") from None
    if process_of(folder) is None and found["state"] == "RUNNING":
        found["state"] = "KILLED"
    return found


def save(folder: Path, to: Path, job: str) -> None:
    """Copy the last checkpoint of a job to a new folder. The job may continue meanwhile.

    Raises Mistake for a folder that is not empty, and Failure where it cannot be written.
    """
    if to.exists() and any(to.iterdir()):
        raise Mistake(f"{to} is not empty")
    try:
        to.mkdir(parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            found = manifest_of(folder)
            _check_name(folder, found, job)
            try:
                for number in found["segments"]:
                    name = f"{int(number):012d}.segment"
                    shutil.copyfile(folder / name, to / name)
            except FileNotFoundError:
                # A newer checkpoint has deleted a segment of this one.
                for path in to.glob("*.segment"):
                    path.unlink()
                continue
            _sync(to)
            replace_file(to / MANIFEST, json.dumps(found).encode())
            return
    except OSError as error:
        raise Failure(f"cannot write to {to}: {error.strerror}") from None
    raise Failure(f"{folder} changes faster than it can be copied")


def _sync(folder: Path) -> None:
    for path in folder.glob("*.segment"):
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _check_name(folder: Path, found: dict[str, Any], job: str) -> None:
    if found["job"] != job:
        raise Mistake(f"{folder} belongs to the job '{found['job']}', not to '{job}'")


def stop(folder: Path, job: str, patience: float = 60.0) -> bool:
    """Ask the process of a job to end with a checkpoint, and wait for its end; False if none runs.

    Raises Failure where it does not end.
    """
    process = process_of(folder)
    if process is None:
        return False
    _check_name(folder, status_of(folder), job)
    try:
        os.kill(process, signal.SIGTERM)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise Failure(f"the process {process} of {folder} belongs to another user") from None
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if process_of(folder) is None:
            return True
        time.sleep(0.05)
    raise Failure(f"the process {process} of {folder} did not end within {patience:.0f} s")
