"""Rows of a lake that are to be forgotten: those of somebody, and those that are too old."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.lake.atomic_replace import replace_file
from tocsin.lake.query import datasets_of, files_of, footer


@dataclass(frozen=True)
class Forgotten:
    """What was deleted from a dataset: whole files, and rows."""

    dataset: str
    files: int
    rows: int


def retain(root: Path, now: int | None = None) -> list[Forgotten]:
    """Delete the files whose rows are all older than their `retention` (WriteToLake), which stands in their footers.

    now: microseconds; by default the clock's. Files without a retention stay.
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
            found.append(Forgotten(folder.name, files, rows))
    return found


def erase(root: Path, column: str, value: str, dataset: str | None = None) -> list[Forgotten]:
    """Delete all rows with a value in a column, such as a lock or a camera, from every dataset that has the column.

    A file that holds such rows is written anew without them, and takes the old one's place at once; a file without other rows is
    deleted. Values are compared as text. What went to topics is not here. Raises Failure where no dataset has the column.
    """
    found, known = [], False
    for folder in (path for path in datasets_of(root) if dataset in (None, path.name)):
        files, rows = 0, 0
        for file in files_of(folder):
            named = [
                part
                for part in file.relative_to(folder).parts[:-1]
                if part.startswith(f"{column}=")
            ]
            has_column = column in parquet.read_schema(file).names
            known |= has_column or bool(named)
            if named and unquote(named[0].partition("=")[2]) == value:
                rows += parquet.read_metadata(file).num_rows
                file.unlink()
                files += 1
            elif has_column:
                gone = _without(file, column, value)
                rows, files = rows + gone, files + bool(gone)
        if rows:
            found.append(Forgotten(folder.name, files, rows))
    if not known:
        raise Failure(f"no dataset of {root} has a column '{column}'")
    return found


def _without(file: Path, column: str, value: str) -> int:
    """Gives how many rows went."""
    texts = (
        parquet.read_table(file, columns=[column], partitioning=None)
        .column(column)
        .cast(pa.string())
    )
    gone = pc.fill_null(pc.equal(texts, value), False)
    count = int(pc.sum(gone).as_py() or 0)
    if not count:
        return 0
    table = parquet.read_table(file, partitioning=None)
    left = table.filter(pc.invert(gone))
    if left.num_rows:
        replace_file(left, file)
    else:
        file.unlink()
    return count
