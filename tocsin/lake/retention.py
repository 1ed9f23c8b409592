"""Deletes rows from a lake: files past their retention, and rows with a value."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.kernels.path_encoding import path_part
from tocsin.lake.atomic_replace import replace_file
from tocsin.lake.query import datasets_of, files_of, footer, schema_in, table_in


@dataclass(frozen=True)
class Deleted:
    """The deleted data of a dataset. files: deleted or rewritten. rows: deleted."""

    dataset: str
    files: int
    rows: int


def retain(root: Path, now: int | None = None) -> list[Deleted]:
    """Delete files whose rows are all older than the `retention` in their footer (WriteToLake).

    now: microseconds since 1970; None for the clock's time. Files without a retention stay. Only
    datasets with deleted files are returned.
    """
    moment = int(time.time() * 1_000_000) if now is None else now
    found = []
    for folder in datasets_of(root):
        files, rows = 0, 0
        for file in files_of(folder):
            head = footer(file)
            if (
                "tocsin.retention" not in head
                or int(head["tocsin.until"]) + int(head["tocsin.retention"]) > moment
            ):
                continue
            rows += parquet.read_metadata(file).num_rows
            file.unlink()
            files += 1
        if files:
            found.append(Deleted(folder.name, files, rows))
    return found


def erase(root: Path, column: str, value: str, dataset: str | None = None) -> list[Deleted]:
    """Delete all rows with a value in a column, such as a lock's id.

    Files with such rows are replaced atomically, and deleted where no other row remains. Values are
    compared as text; null never matches. Topics keep their messages.

    Args:
        root: folder of the lake.
        column: a column of the files, or of their folders (`column=value`).
        value: the value to delete.
        dataset: name of the only dataset; None for every dataset with the column.

    Raises:
        Failure: no dataset has the column.
    """
    found, has_any = [], False
    for folder in (path for path in datasets_of(root) if dataset in (None, path.name)):
        files, rows = 0, 0
        for file in files_of(folder):
            named = [
                part
                for part in file.relative_to(folder).parts[:-1]
                if part.startswith(f"{column}=")
            ]
            has_column = column in schema_in(file).names
            has_any |= has_column or bool(named)
            if f"{column}={path_part(value)}" in named:
                rows += parquet.read_metadata(file).num_rows
                file.unlink()
                files += 1
            elif has_column:
                gone = _without(file, column, value)
                rows, files = rows + gone, files + bool(gone)
        if rows:
            found.append(Deleted(folder.name, files, rows))
    if not has_any:
        raise Failure(f"no dataset of {root} has a column '{column}'")
    return found


def _without(file: Path, column: str, value: str) -> int:
    """Delete rows from one file; return their number."""
    texts = table_in(file, [column]).column(column).cast(pa.string())
    gone = pc.fill_null(pc.equal(texts, value), False)
    count = int(pc.sum(gone).as_py() or 0)
    if not count:
        return 0
    table = table_in(file)
    left = table.filter(pc.invert(gone))
    if left.num_rows:
        replace_file(left, file)
    else:
        file.unlink()
    return count
