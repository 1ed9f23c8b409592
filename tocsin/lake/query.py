"""A lake as DuckDB views."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import merge_offsets
from tocsin.lake.partition_values import partition_types, partition_values

# The whole numbers of a footer, in microseconds.
_NUMBERS = {"tocsin.until", "tocsin.retention"}
_NUMBER = re.compile(r"-?[0-9]{1,19}")

LakeOffsets = dict[str, dict[str, tuple[int, int]]]
"""First and last offset by topic and partition."""


@dataclass(frozen=True)
class Dataset:
    """One table of a lake.

    rows: of the newest revisions. first, last: start of the first and of the last file, as text.
    """

    name: str
    files: int
    rows: int
    first: str | None
    last: str | None


def files_of(dataset: Path) -> list[Path]:
    """The finished files of a dataset, sorted. Files that are being written are hidden."""
    return sorted(path for path in dataset.rglob("*.parquet") if not path.name.startswith("."))


def datasets_of(root: Path) -> list[Path]:
    """The folders of the datasets, sorted by name."""
    return sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def open_lake(root: Path, skip: Iterable[Path] = ()) -> tuple[Any, list[Dataset]]:
    """A DuckDB connection with two views for each dataset, and the datasets.

    The view `DATASET` has the newest revision of each row, the view `DATASET_all` every revision.
    Times are in UTC. The schema `tocsin` has a table for each dataset: its files (`_file`), the
    `topics` of each and their `sources` (number), and the values of partition columns.

    Args:
        root: folder of the lake.
        skip: files that are left out.

    Raises:
        Failure: for a file that cannot be read.
    """
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'; create schema tocsin")
    skipped = set(skip)
    found = []
    for folder in datasets_of(root):
        every = files_of(folder)
        files = [file for file in every if file not in skipped]
        if not files:
            continue
        try:
            heads = [footer(file) for file in files]
            kinds = _add_files(connection, folder, files, heads)
            _add_views(connection, folder, files if len(files) < len(every) else None, heads, kinds)
            query = f"select count(*) from {quoted(folder.name)}"  # noqa: S608 - names are quoted
            (rows,) = connection.execute(query).fetchall()[0]
        except (ValueError, AttributeError, TypeError, duckdb.Error) as error:
            bad = list(unreadable(files).values())
            raise Failure(
                bad[0] if bad else f"the dataset '{folder.name}' cannot be read: {brief(error)}"
            ) from None
        starts = [path.name.split("-")[0] for path in files]
        found.append(Dataset(folder.name, len(files), int(rows), min(starts), max(starts)))
    return connection, found


def unreadable(files: Iterable[Path]) -> dict[Path, str]:
    """The files whose footer cannot be read, each with a sentence."""
    found = {}
    for file in files:
        try:
            head = footer(file)
            merged([offsets_in(head)])
            partition_types([head])
        except Failure as failure:
            found[file] = failure.sentence
        except (ValueError, AttributeError, TypeError) as error:
            found[file] = _not_ours(file, brief(error))
    return found


def brief(error: Exception) -> str:
    """The first line of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def quoted(text: str) -> str:
    """A name in SQL."""
    return '"' + text.replace('"', '""') + '"'


def text_in_sql(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def rows_with_files(folder: Path, files: list[Path] | None = None) -> str:
    """SQL of a dataset's rows with the column `_file`. files: None for all."""
    paths = [folder / "**" / "*.parquet"] if files is None else files
    listed = ", ".join(text_in_sql(str(path)) for path in paths)
    return (
        f"read_parquet([{listed}], hive_partitioning = true, union_by_name = true, "
        "filename = '_file')"
    )


def _add_files(
    connection: Any, folder: Path, files: list[Path], heads: list[dict[str, str]]
) -> dict[str, str]:
    """The table of a dataset's files; returns the SQL types of declared partition columns."""
    kinds = partition_types(heads)
    values = [partition_values(folder, file) for file in files]
    sources = [sorted(offsets_in(head)) for head in heads]
    columns: dict[str, Any] = {
        "_file": pa.array([str(file) for file in files]),
        "topics": pa.array([", ".join(topics) for topics in sources]),
        "sources": pa.array([max(len(topics), 1) for topics in sources]),
        **{name: pa.array([one.get(name) for one in values], pa.string()) for name in kinds},
    }
    connection.register("listed", pa.table(columns))
    casts = ", ".join(
        f"try_cast({quoted(name)} as {kind}) as {quoted(name)}" for name, kind in kinds.items()
    )
    replaced = f" replace ({casts})" if casts else ""
    connection.execute(
        f"create table tocsin.{quoted(folder.name)} as "  # noqa: S608 - names are quoted
        f"select *{replaced} from listed"
    )
    connection.unregister("listed")
    return kinds


def _add_views(
    connection: Any,
    folder: Path,
    files: list[Path] | None,
    heads: list[dict[str, str]],
    kinds: dict[str, str],
) -> None:
    rows, known = rows_with_files(folder, files), f"tocsin.{quoted(folder.name)}"
    selected, joined = "rows.* exclude (_file)", ""
    if kinds:
        named = ", ".join(f"known.{quoted(name)} as {quoted(name)}" for name in kinds)
        selected += f" replace ({named})"
        joined = f" join {known} as known on rows._file = known._file"
    every = quoted(f"{folder.name}_all")
    connection.execute(
        f"create view {every} as "  # noqa: S608 - names are quoted
        f"select {selected} from {rows} as rows{joined}"
    )
    keys: list[str] = json.loads(heads[0].get("tocsin.keys", "[]"))
    newest = ""
    if keys:
        listed = ", ".join(quoted(key) for key in keys)
        newest = f" qualify row_number() over (partition by {listed} order by revision desc) = 1"
    connection.execute(
        f"create view {quoted(folder.name)} as select * from {every}{newest}"  # noqa: S608 - as above
    )


def footer(file: Path) -> dict[str, str]:
    """A file's metadata that tocsin wrote, by key (`tocsin.…`).

    Raises Failure with the file's name where it cannot be read.
    """
    try:
        found = {
            key.decode(): value.decode()
            for key, value in (schema_in(file).metadata or {}).items()
            if key.startswith(b"tocsin.")
        }
    except UnicodeDecodeError:
        raise Failure(_not_ours(file, "no UTF-8")) from None
    for name in _NUMBERS & found.keys():
        if not _NUMBER.fullmatch(found[name]):
            raise Failure(_not_ours(file, f"'{name}' is no number"))
    return found


def _not_ours(file: Path, why: str) -> str:
    return f"{file}: cannot be read: its footer is not tocsin's: {why}"


def schema_in(file: Path) -> pa.Schema:
    """The columns of a file. Raises Failure with its name where it cannot be read."""
    try:
        return parquet.read_schema(file)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Failure(f"{file}: cannot be read: {brief(error)}") from None


def table_in(file: Path, columns: list[str] | None = None) -> pa.Table:
    """The rows of a file, without the columns of its folders.

    columns: None for all. Raises Failure with its name where it cannot be read.
    """
    try:
        return parquet.read_table(file, columns=columns, partitioning=None)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Failure(f"{file}: cannot be read: {brief(error)}") from None


def merged(offsets: Iterable[LakeOffsets]) -> LakeOffsets:
    """For each topic and partition, the first and last of all offsets."""
    by_topic: dict[str, list[dict[str, tuple[int, int]]]] = {}
    for topics in offsets:
        for topic, partitions in topics.items():
            by_topic.setdefault(topic, []).append(partitions)
    return {topic: merge_offsets(partitions) for topic, partitions in by_topic.items()}


def offsets_in(head: dict[str, str]) -> LakeOffsets:
    """The offsets in a footer: the messages from which its file was made."""
    by_topic = json.loads(head.get("tocsin.offsets", "{}"))
    return {
        topic: {partition: (first, last) for partition, (first, last) in partitions.items()}
        for topic, partitions in by_topic.items()
    }
