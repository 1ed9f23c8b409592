"""Files in a table's folder that its newest version does not hold, and how they go."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tocsin.foundation.failure import Failure
from tocsin.table import stored
from tocsin.table.checkpoints import SCRATCH
from tocsin.table.history import committed_at, versions
from tocsin.table.log_files import LOG_FOLDER, commit_file
from tocsin.table.table import open_table

HOUR = 3600
"""Seconds after which a file that no version ever held belongs to no living writer."""


@dataclass
class Leftovers:
    """Files that the newest version does not hold: paths in the table.

    Attributes:
        removed: files that a commit removed, with the time of the last such commit, in seconds
            since 1970.
        orphans: files that no commit in the log names, with their age in seconds.
    """

    removed: dict[str, float] = field(default_factory=dict)
    orphans: dict[str, float] = field(default_factory=dict)

    @property
    def old(self) -> list[str]:
        """Files that no commit can add any more: removed ones, and orphans older than an hour."""
        return sorted([*self.removed, *(path for path, age in self.orphans.items() if age > HOUR)])


def left_over(place: str) -> Leftovers:
    """The data files in a table's folder that its newest version does not hold.

    Raises Failure where there is no table, or it cannot be read.
    """
    # The folder comes first: a file that is committed meanwhile is then live.
    there = dict(stored.data_files(Path(place)))
    table = open_table(place)
    if table is None:
        raise Failure(f"there is no table in {place}")
    alive = {file.path for file in table.files()}
    removed = _removed(place)
    now = time.time()
    found = Leftovers()
    for path, written in there.items():
        if path in alive:
            continue
        if path in removed:
            found.removed[path] = removed[path]
        else:
            found.orphans[path] = now - written
    return found


def vacuum(place: str, delay: float) -> int:
    """Delete the files that no version within a delay held; the number of files.

    Queries and time travel to older versions fail afterwards.

    Args:
        place: folder of the table.
        delay: seconds, at least an hour.

    Raises:
        ValueError: if the delay is shorter than an hour, because a file that is not committed yet
            would be deleted.
        Failure: as `left_over`.
    """
    if delay < HOUR:
        raise ValueError("a vacuum keeps files for an hour at least")
    found = left_over(place)
    now = time.time()
    gone = [path for path, moment in found.removed.items() if now - moment > delay]
    gone += [path for path, age in found.orphans.items() if age > delay]
    remove_files(place, gone)
    remove_unfinished(place)
    return len(gone)


def remove_files(place: str, paths: Iterable[str]) -> None:
    """Delete data files, on the disk too. paths: in the table; missing ones are passed over."""
    stored.remove(Path(place) / path for path in paths)


def settle_removals(place: str) -> None:
    """Wait until all that any process deleted from the folders of data files is gone for sure."""
    for folder, names, _ in os.walk(place):
        names[:] = [name for name in names if name != LOG_FOLDER and not name.startswith(".")]
        stored.store_names(Path(folder))


def remove_unfinished(place: str) -> None:
    """Delete what a process leaves that is killed in a commit, on the disk too.

    Hidden files of the log, and folders of checkpoints, that are older than an hour. An object
    store has neither.
    """
    if not stored.is_on_disk(place):
        return
    log = Path(place) / LOG_FOLDER
    oldest = time.time() - HOUR
    # The library writes a checkpoint under a name with a `#` first.
    for path in [*log.glob(".*.tmp"), *log.glob("*#*"), *Path(place).glob(f"{SCRATCH}*")]:
        try:
            if path.stat().st_mtime >= oldest:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        except FileNotFoundError:
            continue
    stored.store_names(log)
    stored.store_names(Path(place))


def forget_bounds(place: str, column: str) -> None:
    """Remove a column's bounds from the commits of files that are not live any more.

    Bounds hold values. Each commit file is replaced by one that differs in nothing else.
    """
    table = open_table(place)
    alive = set() if table is None else {file.path for file in table.files()}
    for version in versions(place):
        path = commit_file(place, version)
        try:
            lines = stored.read(path).decode().splitlines()
        except FileNotFoundError:
            # A checkpoint has replaced it meanwhile.
            continue
        kept = [_without_bounds(line, column, alive) for line in lines]
        if kept != lines:
            stored.replace(path, "".join(f"{line}\n" for line in kept).encode())
    stored.store_names(Path(place) / LOG_FOLDER)


def _without_bounds(line: str, column: str, alive: set[str]) -> str:
    action: dict[str, Any] = json.loads(line)
    added = action.get("add")
    if not added or not added.get("stats") or unquote(added["path"]) in alive:
        return line
    bounds = json.loads(added["stats"])
    if not any(column in bounds.get(name, {}) for name in ("minValues", "maxValues")):
        return line
    for name in ("minValues", "maxValues"):
        bounds.get(name, {}).pop(column, None)
    added["stats"] = json.dumps(bounds, ensure_ascii=False)
    return json.dumps(action, ensure_ascii=False)


def _removed(place: str) -> dict[str, float]:
    """Files that a commit removed, with its time in seconds since 1970."""
    found = {}
    for version in versions(place):
        try:
            lines = stored.read(commit_file(place, version)).decode().splitlines()
            at = committed_at(place, version) / 1000
        except FileNotFoundError:
            continue
        for line in lines:
            removed = json.loads(line).get("remove")
            if removed:
                found[unquote(removed["path"])] = at
    return found
