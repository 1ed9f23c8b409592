"""A table as it was: at a version, or at a time."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from tocsin.foundation.failure import Failure
from tocsin.table import stored
from tocsin.table.log_files import LOG_FOLDER, commit_file
from tocsin.table.table import Table, open_table

_VERSION = re.compile(r"[0-9]{1,18}")
_COMMIT = re.compile(r"[0-9]{20}\.json")


def open_at(place: str, at: str | None = None) -> Table:
    """A table at a version.

    Args:
        place: folder of the table.
        at: a number of a version; or a time in ISO 8601, without a zone in UTC: the newest version
            that was committed at it or before. None for the newest version.

    Raises:
        Failure: if there is no table, the version is gone or in the future, or `at` is neither a
            number nor a time.
    """
    newest = open_table(place)
    if newest is None:
        raise Failure(f"there is no table in {place}")
    if at is None:
        return newest
    version = int(at) if _VERSION.fullmatch(at) else version_at(place, _micros(at))
    if version == newest.version:
        return newest
    known = versions(place)
    try:
        if version <= newest.version:
            stored.refresh(place, whole=True)
            return Table(place, DeltaTable(place, version=version))
    except (DeltaError, OSError, ValueError):
        pass
    first = known[0] if known else newest.version
    raise Failure(
        f"the table {place} has no version {version}: it has versions {first} to {newest.version}"
    )


def versions(place: str) -> list[int]:
    """The versions whose commit files are there, ascending."""
    found = stored.names(Path(place) / LOG_FOLDER)
    return [int(Path(name).stem) for name in found if is_commit(Path(name))]


def is_commit(path: Path) -> bool:
    """Whether a file of a log is a commit."""
    return _COMMIT.fullmatch(path.name) is not None


def committed_at(place: str, version: int) -> int:
    """When a version was committed, milliseconds since 1970, by the clock of its writer.

    Raises OSError where its commit file is gone.
    """
    path = commit_file(place, version)
    for line in stored.read(path).decode().splitlines():
        about = json.loads(line).get("commitInfo")
        if about and isinstance(about.get("timestamp"), int):
            return int(about["timestamp"])
    return int(path.stat().st_mtime * 1000) if path.exists() else 0


def version_at(place: str, moment: int) -> int:
    """The newest version that was committed at a time or before. moment: microseconds since 1970.

    Raises Failure where all versions are newer.
    """
    known = versions(place)
    for version in reversed(known):
        try:
            if committed_at(place, version) * 1000 <= moment:
                return version
        except (OSError, ValueError):
            continue
    raise Failure(f"the table {place} has no version that is so old")


def _micros(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(
            f"--at: '{text}' is neither a version nor a time; write it like 12 or "
            "2026-03-02T10:00:00Z"
        ) from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1_000_000)
