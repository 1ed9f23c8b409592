"""A lake as DuckDB views."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from tocsin.foundation.failure import Failure
from tocsin.lake.datasets import datasets_of, keys_in, live, table_of
from tocsin.lake.footers import brief, footer, start_of, units_in, unreadable
from tocsin.table.mirrors import mirror_of
from tocsin.table.stored import fetch


@dataclass(frozen=True)
class Dataset:
    """One table of a lake.

    rows: of the newest revisions. first, last: start of the first and of the last unit of rows,
    ISO 8601; None where files name no unit.
    """

    name: str
    files: int
    rows: int
    first: str | None
    last: str | None


def open_lake(
    root: Path, skip: Iterable[Path] = (), at: str | None = None
) -> tuple[Any, list[Dataset]]:
    """A DuckDB connection with the views of `open_views`, and the datasets with their counts.

    Args:
        root: folder of the lake.
        skip: files that are left out.
        at: a version or a time of every table; None for the newest version.

    Raises:
        Failure: as `open_views`.
    """
    skipped = set(skip)
    connection, shown = open_views(root, skipped, at)
    found = []
    for folder, files in shown.items():
        query = f"select count(*) from {quoted(folder.name)}"  # noqa: S608 - names are quoted
        try:
            (rows,) = connection.execute(query).fetchall()[0]
        except duckdb.Error as error:
            raise _failure(folder, files, error) from None
        units = (units_in(footer(file)) for file in files)
        starts = [one for names in units for name in names if (one := start_of(name)) is not None]
        first, last = (_iso(min(starts)), _iso(max(starts))) if starts else (None, None)
        found.append(Dataset(folder.name, len(files), int(rows), first, last))
    return connection, found


def open_views(
    root: Path, skip: Iterable[Path] = (), at: str | None = None, query: str | None = None
) -> tuple[Any, dict[Path, list[Path]]]:
    """A DuckDB connection with two views for each dataset, and the files of each dataset.

    The view `DATASET` has the newest revision of each row, the view `DATASET_all` every revision.
    The views keep the versions that the tables have now. Times are in UTC. A dataset without rows
    has no view.

    Args:
        root: folder of the lake.
        skip: files that are left out.
        at: a version or a time of every table; None for the newest version.
        query: of a lake in an object store, only datasets that it names are fetched.

    Raises:
        Failure: for a file that is missing or cannot be read, and for a table without the version.
    """
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    skipped = set(skip)
    found = {}
    for folder in datasets_of(root):
        files = [file for file in live(table_of(folder, at)) if file not in skipped]
        if not files or (query is not None and _is_unused(folder, query)):
            continue
        fetch(files)
        try:
            _add_views(connection, folder.name, files, keys_in([footer(files[0])]))
        except (ValueError, AttributeError, TypeError, duckdb.Error) as error:
            raise _failure(folder, files, error) from None
        found[folder] = files
    return connection, found


def _is_unused(folder: Path, query: str) -> bool:
    return mirror_of(folder) is not None and folder.name not in query.lower()


def one_dataset(name: str, files: list[Path], keys: list[str]) -> Any:
    """A DuckDB connection with the two views of some files. Raises duckdb.Error."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    _add_views(connection, name, files, keys)
    return connection


def _failure(folder: Path, files: list[Path], error: Exception) -> Failure:
    bad = list(unreadable(files).values())
    return Failure(bad[0] if bad else f"the dataset '{folder.name}' cannot be read: {brief(error)}")


def quoted(text: str) -> str:
    """A name in SQL."""
    return '"' + text.replace('"', '""') + '"'


def text_in_sql(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def rows_with_files(files: list[Path]) -> str:
    """SQL of the rows of files, with the column `_file`."""
    listed = ", ".join(text_in_sql(str(path)) for path in files)
    return (
        f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true, "
        "filename = '_file')"
    )


def _add_views(connection: Any, name: str, files: list[Path], keys: list[str]) -> None:
    every = quoted(f"{name}_all")
    connection.execute(
        f"create view {every} as "  # noqa: S608 - names are quoted
        f"select * exclude (_file) from {rows_with_files(files)}"
    )
    newest = ""
    if keys:
        listed = ", ".join(quoted(key) for key in keys)
        newest = f" qualify row_number() over (partition by {listed} order by revision desc) = 1"
    connection.execute(
        f"create view {quoted(name)} as select * from {every}{newest}"  # noqa: S608 - as above
    )


def _iso(micros: int) -> str:
    """The second of a time, limited to the years 1 to 9999."""
    seconds = min(max(micros // 1_000_000, -62_135_596_800), 253_402_300_799)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
