"""A lake as DuckDB views."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from pyarrow import parquet

from tocsin.kernels.batch import merge_offsets

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


def open_lake(root: Path) -> tuple[Any, list[Dataset]]:
    """A DuckDB connection with two views for each dataset, and the datasets.

    The view `DATASET` has the newest revision of each row, the view `DATASET_all` every revision.
    Times are in UTC.
    """
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    found = []
    for folder in datasets_of(root):
        files = files_of(folder)
        if not files:
            continue
        name = folder.name.replace('"', '""')
        glob = str(folder / "**" / "*.parquet").replace("'", "''")
        connection.execute(
            f'create view "{name}_all" as select * from '  # noqa: S608 - names are quoted
            f"read_parquet('{glob}', hive_partitioning = true, union_by_name = true)"
        )
        keys = _keys(files[0])
        newest = ""
        if keys:
            listed = ", ".join('"' + key.replace('"', '""') + '"' for key in keys)
            newest = (
                f" qualify row_number() over (partition by {listed} order by revision desc) = 1"
            )
        query = f'select * from "{name}_all"{newest}'  # noqa: S608 - names are quoted
        connection.execute(f'create view "{name}" as {query}')
        rows = connection.execute(f'select count(*) from "{name}"').fetchone()  # noqa: S608
        starts = [path.name.split("-")[0] for path in files]
        found.append(Dataset(folder.name, len(files), int(rows[0]), min(starts), max(starts)))
    return connection, found


def _keys(file: Path) -> list[str]:
    """The columns that identify a row over its revisions; empty for readings."""
    metadata = footer(file)
    keys: list[str] = json.loads(metadata.get("tocsin.keys", "[]"))
    return keys


def footer(file: Path) -> dict[str, str]:
    """A file's metadata that tocsin wrote, by key (`tocsin.…`)."""
    metadata = parquet.read_metadata(file).metadata or {}
    return {
        key.decode(): value.decode()
        for key, value in metadata.items()
        if key.startswith(b"tocsin.")
    }


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
