"""Deletes rows from a lake: files past their retention, and rows with a value."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.foundation.failure import Failure
from tocsin.lake.datasets import chosen, datasets_of, on_newest, table_of
from tocsin.lake.erasures import begin_erasure
from tocsin.lake.footers import footer, schema_in, table_in
from tocsin.lake.rewriting import Gone, without_rows
from tocsin.table.checkpoints import renew_checkpoint
from tocsin.table.commit import Change, commit
from tocsin.table.leftovers import (
    forget_bounds,
    left_over,
    remove_files,
    remove_unfinished,
    settle_removals,
)
from tocsin.table.table import Table


@dataclass(frozen=True)
class Deleted:
    """The deleted data of a dataset.

    version: the first version without them. files: removed or written again. rows: deleted.
    """

    dataset: str
    version: int
    files: int
    rows: int


def retain(root: Path, now: int | None = None) -> list[Deleted]:
    """Remove files whose rows are all older than the `retention` in their footer (WriteToLake).

    Files without a retention stay. Removed files stay on the disk until `maintain` vacuums.

    Args:
        root: folder of the lake.
        now: microseconds since 1970; None for the clock's time.

    Returns:
        Only datasets with removed files.

    Raises:
        Failure: for a file that cannot be read.
    """
    moment = int(time.time() * 1_000_000) if now is None else now
    found = [
        on_newest(folder, lambda _, folder=folder: _retained(folder, moment))  # type: ignore[misc]
        for folder in datasets_of(root)
    ]
    return [one for one in found if one is not None]


def _retained(folder: Path, moment: int) -> Deleted | None:
    old: dict[str, bool] = {}
    removed: list[Any] = []

    def change_of(table: Table) -> Change | None:
        for file in table.files():
            if file.path not in old:
                old[file.path] = _is_past(footer(folder / file.path), moment)
        removed[:] = [file for file in table.files() if old[file.path]]
        return Change("DELETE", removes=list(removed)) if removed else None

    version = commit(str(folder), change_of)
    if version is None:
        return None
    return Deleted(folder.name, version, len(removed), sum(file.rows for file in removed))


def _is_past(head: dict[str, str], moment: int) -> bool:
    if not {"tocsin.retention", "tocsin.until"} <= head.keys():
        return False
    return int(head["tocsin.until"]) + int(head["tocsin.retention"]) <= moment


def erase(root: Path, column: str, value: str, dataset: str | None = None) -> list[Deleted]:
    """Delete all rows with a value in a column, such as a lock's id, and their files at once.

    It repeats until the newest version has no such row, so rows that a job writes or a compaction
    moves meanwhile are deleted too. Then the removed files are deleted, also those that earlier
    changes removed, and the column's bounds leave the log. A query of an older version fails, and
    has to be repeated. Values are compared as text; null never matches. Topics keep their messages.

    Args:
        root: folder of the lake.
        column: a column.
        value: the value to delete.
        dataset: name of the only dataset; None for every dataset with the column.

    Returns:
        A certificate for each dataset that had such rows.

    Raises:
        Failure: no dataset has the column.
    """
    found, has_any = [], False
    for folder in chosen(root, dataset):
        if column not in table_of(folder).schema.names:
            continue
        has_any = True
        one = _Erasure(folder, column, value).done()
        if one is not None:
            found.append(one)
    if not has_any:
        raise Failure(f"no dataset of {root} has a column '{column}'")
    return found


class _Erasure:
    def __init__(self, folder: Path, column: str, value: str) -> None:
        self.folder, self.column, self.value = folder, column, value
        self.clean: set[str] = set()

    def done(self) -> Deleted | None:
        place = str(self.folder)
        begin_erasure(place)
        done = without_rows(place, "DELETE", self._gone)
        removed = left_over(place)
        # Files that a process wrote and has not committed yet are younger.
        old = [path for path in removed.old if self._matches(path)]
        remove_files(place, {*done.files, *old})
        remove_unfinished(place)
        # An erasure before may have been killed at any step, so each does all of them.
        settle_removals(place)
        forget_bounds(place, self.column)
        newest = table_of(self.folder).version
        renew_checkpoint(place, newest)
        if done.version is None and not old:
            return None
        version = newest if done.version is None else done.version
        return Deleted(self.folder.name, version, len({*done.files, *old}), done.rows)

    def _gone(self, table: Table) -> Gone:
        found = {}
        for file in table.files():
            if file.path in self.clean:
                continue
            rows = self._rows(self.folder / file.path)
            if rows is None:
                self.clean.add(file.path)
            else:
                found[file.path] = rows
        return found

    def _matches(self, path: str) -> bool:
        try:
            return self._rows(self.folder / path) is not None
        except Failure:
            # A file that nobody can read may hold such rows.
            return True

    def _rows(self, file: Path) -> Any:
        """The rows with the value, or None where no row has it."""
        if self.column not in schema_in(file).names:
            return None
        column = table_in(file, [self.column]).column(self.column)
        try:
            texts = column.cast(pa.string())
        except pa.ArrowException:
            raise Failure(
                f"{file}: values of '{self.column}' ({column.type}) cannot be compared with a text"
            ) from None
        gone = pc.fill_null(pc.equal(texts, self.value), False)
        return gone if pc.any(gone).as_py() else None
