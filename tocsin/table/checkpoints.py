"""Checkpoints of a log: a table opens fast however many commits it has."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from tocsin.foundation.failure import Failure
from tocsin.table import stored
from tocsin.table.history import committed_at, versions
from tocsin.table.log_files import LAST_CHECKPOINT, LOG_FOLDER, checkpoint_version, commit_file
from tocsin.table.table import open_table

SCRATCH = ".checkpoint-"
"""How the name of a folder in a table begins in which a checkpoint is written."""
_ATTEMPTS = 5
_EVERY = 10
"""Commits after which a further checkpoint is worth its time."""


def checkpoint(place: str, *, keep: float) -> int | None:
    """Write a checkpoint of the newest version where the last one is ten commits old.

    The checkpoint is on the disk before commit files and checkpoints that it replaces are deleted.

    Args:
        place: folder of the table.
        keep: seconds for which commits, and with them time travel, are kept.

    Returns:
        The version with a new checkpoint, or None.

    Raises:
        Failure: if there is no table, or no checkpoint can be written.
    """
    table = open_table(place)
    if table is None:
        raise Failure(f"there is no table in {place}")
    log = Path(place) / LOG_FOLDER
    last = max(_checkpoints(log), default=-1)
    if table.version - last < _EVERY:
        return None
    write_checkpoint(place, table.version)
    _clean(place, table.version, keep)
    return table.version


def write_checkpoint(place: str, version: int) -> None:
    """Write the checkpoint of a version; it is on the disk afterwards.

    Raises Failure where it cannot be written.
    """
    reason: Exception | None = None
    for _ in range(_ATTEMPTS):
        scratch = Path(place) / f"{SCRATCH}{secrets.token_hex(8)}"
        try:
            stored.refresh(place, whole=True)
            _write(Path(place) / LOG_FOLDER, version, scratch)
        except (DeltaError, OSError, ValueError) as error:
            # Others delete commits and checkpoints that a newer checkpoint replaces.
            reason = error
        else:
            return
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    raise Failure(f"no checkpoint of the log in {place}: {reason}")


def _write(log: Path, version: int, scratch: Path) -> None:
    """Let the library write the checkpoint next to the table, and put it into the log.

    The library names a checkpoint before its content is on the disk. After a loss of power, the
    table could not be read.
    """
    copy = scratch / LOG_FOLDER
    copy.mkdir(parents=True)
    before = {one: paths for one, paths in _checkpoints(log).items() if one < version}
    base = max(before, default=-1)
    for path in before.get(base, []):
        os.link(path, copy / path.name)
    for one in range(base + 1, version + 1):
        os.link(commit_file(str(log.parent), one), commit_file(str(scratch), one))
    DeltaTable(str(scratch), version=version).create_checkpoint()
    for path in copy.glob(f"{version:020}.checkpoint*.parquet"):
        stored.link(path, log / path.name)
    stored.store_names(log)
    stored.replace(log / LAST_CHECKPOINT, (copy / LAST_CHECKPOINT).read_bytes())


def renew_checkpoint(place: str, version: int) -> None:
    """Replace all checkpoints of a table that has any by one of a version.

    Raises Failure where it cannot be written.
    """
    if _checkpoints(Path(place) / LOG_FOLDER):
        write_checkpoint(place, version)
        _remove_older(place, version)


def _remove_older(place: str, version: int) -> None:
    """Delete the checkpoints of versions before one."""
    log = Path(place) / LOG_FOLDER
    stored.remove(
        path for known, paths in _checkpoints(log).items() if known < version for path in paths
    )
    # A process that was killed may have deleted some, and not waited for the disk.
    stored.store_names(log)


def _checkpoints(log: Path) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for name in stored.names(log):
        version = checkpoint_version(name)
        if version is not None:
            found.setdefault(version, []).append(log / name)
    return found


def _clean(place: str, version: int, keep: float) -> None:
    """Delete commits before a checkpoint that are older than `keep`, oldest first, and checkpoints.

    Oldest first, because a version needs all commits since its checkpoint.
    """
    oldest = (time.time() - keep) * 1000
    for one in versions(place):
        if one >= version or committed_at(place, one) >= oldest:
            break
        stored.remove([commit_file(place, one)], synced_too=False)
    left = versions(place)
    # A version that still has its commit may rest on the checkpoint before it.
    known = [one for one in _checkpoints(Path(place) / LOG_FOLDER) if one <= left[0]]
    needed = max(known, default=-1)
    _remove_older(place, needed)
