"""A live job as another process sees it: by the folder of its checkpoints."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from tocsin.engines.embedded.checkpoint_store import LOCK, replace_file
from tocsin.engines.embedded.manifest import MANIFEST, read_manifest
from tocsin.engines.embedded.watching import STATUS
from tocsin.foundation.failure import Failure, Mistake
from tocsin.foundation.synced import make_folder, sync

_ATTEMPTS = 50
_PROCESS = re.compile(r"[1-9][0-9]{0,9}")


_Seconds = Annotated[float, Field(ge=0, le=1e11)]


class _Split(TypedDict):
    step: str
    partition: int
    position: int
    lag: int | None
    watermark: int | None


class _Checkpoints(TypedDict):
    completed: int
    failed: int
    size: NotRequired[int]
    written: NotRequired[int]
    duration: NotRequired[int]
    at: NotRequired[_Seconds]


class _Status(TypedDict):
    """What a live job writes about itself."""

    job: str
    process: int
    state: Literal["RUNNING", "STOPPED"]
    began: _Seconds
    at: _Seconds
    steps: list[str]
    checkpoints: _Checkpoints
    splits: list[_Split]
    counts: dict[str, dict[str, int]]
    watermark: int | None


_STATUS = TypeAdapter(_Status)


def is_in_use(folder: Path) -> bool:
    """Whether a process uses a folder of checkpoints."""
    return _lock_of(folder) is not None


def _lock_of(folder: Path) -> tuple[str, os.stat_result] | None:
    """What the lock of a folder says, and which file it is; None if no process has it."""
    try:
        opened = os.open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(f"cannot read {folder}: {error.strerror}") from None
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(opened, 32, 0).decode(errors="replace").strip(), os.fstat(opened)
    finally:
        os.close(opened)
    return None


def _has_open(process: int, file: os.stat_result) -> bool:
    """Whether a process has a file open. A number may have gone to another process meanwhile."""
    for path in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), file):
                return True
    return False


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
    path = folder / STATUS
    try:
        found = dict(_STATUS.validate_json(path.read_bytes()))
    except FileNotFoundError:
        raise Mistake(
            f"{folder} has no status of a live job (`tocsin run JOB --live --checkpoint {folder}`)"
        ) from None
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise Failure(f"{path} is damaged: the next round of the job writes it again") from None
    if found["state"] == "RUNNING" and not is_in_use(folder):
        found["state"] = "KILLED"
    return found


def save(folder: Path, to: Path, job: str) -> None:
    """Copy the last checkpoint of a job to a new folder. The job may continue meanwhile.

    Raises Mistake for a folder that is not empty, and Failure where it cannot be written.
    """
    try:
        if to.exists() and any(to.iterdir()):
            raise Mistake(f"{to} is not empty")
        make_folder(to)
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
            for path in to.glob("*.segment"):
                sync(path)
            replace_file(to / MANIFEST, json.dumps(found).encode())
            return
    except OSError as error:
        raise Failure(f"cannot write to {to}: {error.strerror}") from None
    raise Failure(f"{folder} changes faster than it can be copied")


def _check_name(folder: Path, found: dict[str, Any], job: str) -> None:
    if found["job"] != job:
        raise Mistake(f"{folder} belongs to the job '{found['job']}', not to '{job}'")


def stop(folder: Path, job: str, patience: float = 60.0) -> bool:
    """Ask the process of a job to end with a checkpoint, and wait for its end; False if none runs.

    Raises Failure where it does not end.
    """
    lock = _lock_of(folder)
    if lock is None:
        return False
    _check_name(folder, status_of(folder), job)
    _ask(folder, *lock)
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if not is_in_use(folder):
            return True
        time.sleep(0.05)
    raise Failure(f"the process {lock[0]} of {folder} did not end within {patience:.0f} s")


def _ask(folder: Path, name: str, lock: os.stat_result) -> None:
    """Send SIGTERM to the process that a lock names, if it has the lock."""
    try:
        if not _PROCESS.fullmatch(name):
            raise ProcessLookupError
        opened = os.pidfd_open(int(name))
        try:
            if not _has_open(int(name), lock):
                raise ProcessLookupError
            signal.pidfd_send_signal(opened, signal.SIGTERM)
        finally:
            os.close(opened)
    except PermissionError:
        raise Failure(f"the process {name} of {folder} belongs to another user") from None
    except OSError:
        if is_in_use(folder):
            raise Failure(
                f"{folder} is in use, and not by a process {name or 'with a name'} of this "
                "machine: stop the job where it runs"
            ) from None
