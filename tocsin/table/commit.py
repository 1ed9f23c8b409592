"""Commits: a change is computed from the newest version, and put as the next one or not at all.

The file of a commit is on the disk before anybody sees it, and its name is taken once. Whoever
comes second reads the new version and computes its change again. So a change never rests on a
version that is no longer the newest, and a mark, once written, is always seen.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from tocsin.foundation.failpoint import failpoint
from tocsin.foundation.failure import Failure
from tocsin.table import stored
from tocsin.table.checksums import TAG
from tocsin.table.log_files import LOG_FOLDER, commit_file
from tocsin.table.table import LiveFile, Outdated, Table, lines, open_table

# Attempts to be the next commit. Each is lost to another writer's success.
_ATTEMPTS = 200


@dataclass(frozen=True)
class NewFile:
    """A Parquet file that a commit adds; it is on the disk already.

    Attributes:
        path: relative to the table, of a name that was never used before.
        size: in bytes.
        statistics: `numRecords`, and `minValues`, `maxValues`, `nullCount` by column.
        partition_values: as text, by column; None for null.
        checksum: SHA-256 of its bytes, in hexadecimal digits.
    """

    path: str
    size: int
    statistics: Mapping[str, Any]
    partition_values: Mapping[str, str | None] = field(default_factory=dict)
    checksum: str | None = None


@dataclass(frozen=True)
class Change:
    """What one commit changes.

    Attributes:
        operation: a word for the history, such as WRITE or OPTIMIZE.
        adds, removes: files.
        marks: a number for each name of a writer, greater than the one before.
        changes_rows: False if the rows are the same, as after a compaction.
        about: what else the history says.
        columns: new ones, nullable and of types that Delta has.
        properties: of the table, to be set.
        widened: columns that the table has, in a type that holds all values of theirs.
    """

    operation: str
    adds: Iterable[NewFile] = ()
    removes: Iterable[LiveFile] = ()
    marks: Mapping[str, int] = field(default_factory=dict)
    changes_rows: bool = True
    about: Mapping[str, Any] = field(default_factory=dict)
    columns: Iterable[pa.Field] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    widened: Iterable[pa.Field] = ()


def commit(
    place: str, change_of: Callable[[Table], Change | None], known: Table | None = None
) -> int | None:
    """Commit a change of the newest version; its number, or None if nothing was to be changed.

    Args:
        place: folder of the table.
        change_of: the change of a version. It is asked again after each lost attempt, so it must
            read marks and files from the version that it is given.
        known: an older version; only the commits since are read, and it is refreshed.

    Raises:
        Failure: if there is no table, or others commit all the time.
    """
    for attempt in range(_ATTEMPTS):
        if known is not None:
            known.refresh()
        table = open_table(place) if known is None else known
        if table is None:
            raise Failure(f"there is no table in {place}")
        try:
            change = change_of(table)
            content = None if change is None else _actions(change, table)
        except Outdated:
            continue
        except Failure:
            if not is_behind(table):
                raise
            continue
        _settle(place, table.version)
        if content is None:
            return None
        version = table.version + 1
        failpoint("table.begin")
        if stored.put_if_absent(commit_file(place, version), content):
            failpoint("table.committed")
            _settled[place] = version
            return version
        time.sleep(random.uniform(0, 0.01 * min(attempt + 1, 20)))  # noqa: S311 - spreads writers
    raise Failure(f"other writers of {place} committed {_ATTEMPTS} times while one change waited")


_settled: dict[str, int] = {}
"""By place, the newest version that is on the disk for sure."""


def _settle(place: str, version: int) -> None:
    """Wait until the commits of others are on the disk, on which the next step rests.

    One of them may be that of a process that was killed before its name was on the disk.
    """
    if version > _settled.get(place, -1):
        stored.store_names(Path(place) / LOG_FOLDER)
        _settled[place] = version


def is_behind(table: Table) -> bool:
    """Whether a version cannot be used any more, because the newest lacks some of its files.

    An erasure deletes files at once, so a version of a moment ago may lack them.
    """
    newest = open_table(table.place)
    try:
        alive = set() if newest is None else {file.path for file in newest.files()}
        return any(file.path not in alive for file in table.files())
    except Outdated:
        return True


def _actions(change: Change, table: Table) -> bytes:
    now = int(time.time() * 1000)
    info = {"timestamp": now, "operation": change.operation, "engineInfo": "tocsin", **change.about}
    # The content of no other commit, so that a writer knows its own.
    info["txnId"] = secrets.token_hex(16)
    actions: list[dict[str, Any]] = [{"commitInfo": info}]
    columns, widened = list(change.columns), list(change.widened)
    if columns or widened or change.properties:
        actions.append(table.described(columns, change.properties, widened))
    actions += [{"txn": {"appId": name, "version": to}} for name, to in change.marks.items()]
    actions += [_removed(file, now, change) for file in change.removes]
    actions += [_added(file, now, change) for file in change.adds]
    return lines(actions)


def _added(file: NewFile, now: int, change: Change) -> dict[str, Any]:
    tags = {} if file.checksum is None else {"tags": {TAG: file.checksum}}
    return {
        "add": {
            "path": quote(file.path),
            "partitionValues": dict(file.partition_values),
            "size": file.size,
            "modificationTime": now,
            "dataChange": change.changes_rows,
            # The library misreads escapes of characters beyond U+FFFF.
            "stats": json.dumps(file.statistics, ensure_ascii=False),
            **tags,
        }
    }


def _removed(file: LiveFile, now: int, change: Change) -> dict[str, Any]:
    return {
        "remove": {
            "path": quote(file.path),
            "deletionTimestamp": now,
            "dataChange": change.changes_rows,
            "extendedFileMetadata": True,
            "partitionValues": dict(file.partition_values),
            "size": file.size,
        }
    }
