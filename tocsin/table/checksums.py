"""Checksums of data files: SHA-256, in the tags of the action that adds a file.

Checkpoints keep tags. Files of other writers have no checksum.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.table import stored
from tocsin.table.history import versions
from tocsin.table.log_files import LOG_FOLDER, checkpoint_version, commit_file

TAG = "tocsin.sha256"


def checksum_of(file: Path) -> str:
    """The checksum of a file's bytes, in hexadecimal digits. Raises OSError."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checksums(place: str, version: int) -> dict[str, str]:
    """The checksums that the log of a table has at a version, by path in the table.

    Files that left the table may be among them.

    Raises:
        Failure: if a part of the log cannot be read.
    """
    found: dict[str, str] = {}
    stored.refresh(place)
    start, checkpoint = _checkpoint(place, version)
    try:
        for part in checkpoint:
            added = parquet.read_table(part, columns=["add"]).column("add").to_pylist()
            _take(found, [dict(one, tags=dict(one["tags"] or [])) for one in added if one])
        for number in versions(place):
            if start < number <= version:
                lines = stored.read(commit_file(place, number)).decode().splitlines()
                _take(found, [one for line in lines if (one := json.loads(line).get("add"))])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise Failure(f"the log of {place} cannot be read: {error}") from None
    return found


def _take(found: dict[str, str], added: list[dict[str, Any]]) -> None:
    for one in added:
        checksum = (one.get("tags") or {}).get(TAG)
        if checksum:
            found[unquote(one["path"])] = checksum


def _checkpoint(place: str, version: int) -> tuple[int, list[Path]]:
    """The version of the newest checkpoint up to one, or -1, and its files."""
    log = Path(place) / LOG_FOLDER
    found: dict[int, list[Path]] = {}
    for path in log.glob("*"):
        number = checkpoint_version(path.name)
        if number is not None and number <= version:
            found.setdefault(number, []).append(path)
    newest = max(found, default=-1)
    return newest, found.get(newest, [])
