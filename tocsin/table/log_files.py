"""Commit files of a table: whether the newest is whole, and which one is not."""

from __future__ import annotations

import json
from pathlib import Path

LOG_FOLDER = "_delta_log"
LAST_CHECKPOINT = "_last_checkpoint"
"""The file that names the newest checkpoint."""


def commit_file(place: str, version: int) -> Path:
    """Where the commit of a version is, or would be."""
    return Path(place) / LOG_FOLDER / f"{version:020}.json"


def checkpoint_version(name: str) -> int | None:
    """The version of a checkpoint's file; None for the name of another file."""
    number, _, rest = name.partition(".")
    is_one = number.isdigit() and rest.startswith("checkpoint") and rest.endswith(".parquet")
    return int(number) if is_one else None


def newest_is_whole(place: str, version: int) -> bool:
    """Whether the file of the newest commit ends where a commit ends.

    A commit that only a checkpoint holds is whole.
    """
    try:
        with commit_file(place, version).open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(size - 2, 0))
            # Other writers end a commit without the end of a line.
            return stream.read().rstrip().endswith(b"}")
    except FileNotFoundError:
        return True


def broken_commit(place: str) -> str | None:
    """The fault of the newest commit file that cannot be read, with its name, or None."""
    for path in sorted((Path(place) / LOG_FOLDER).glob("[0-9]*.json"), reverse=True):
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            return f"{path}: {error}"
        if not lines:
            return f"{path} is empty; restore it from a copy of the lake"
        for number, line in enumerate(lines, 1):
            if not _is_action(line):
                return f"{path}: line {number} is cut; restore it from a copy of the lake"
    return _missing_commit(place)


def _missing_commit(place: str) -> str | None:
    """The last commit file that is gone while a later one is there, or None."""
    log = Path(place) / LOG_FOLDER
    known = {int(path.stem) for path in log.glob("[0-9]*.json") if path.stem.isdigit()}
    starts = (checkpoint_version(path.name) for path in log.glob("*"))
    start = max((one for one in starts if one is not None), default=-1)
    missing = {*range(start + 1, max(known, default=start))} - known
    if not missing:
        return None
    return f"{commit_file(place, max(missing))} is missing; restore it from a copy of the lake"


def _is_action(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
