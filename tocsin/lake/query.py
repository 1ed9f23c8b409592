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
    """One table of a lake. first, last: start of the first and end of the last span of event time, as text."""

    name: str
    files: int
    rows: int
    first: str | None
    last: str | None


def files_of(dataset: Path) -> list[Path]:
    """The finished files of a dataset; files being written are hidden."""
    return sorted(path for path in dataset.rglob("*.parquet") if not path.name.startswith("."))


def datasets_of(root: Path) -> list[Path]:
    """The folders of the datasets, by name."""
    return sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def open_lake(root: Path) -> tuple[Any, list[Dataset]]:
    """A connection with a view a dataset (the newest revisions) and a view `…_all` (every revision)."""
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
            f"create view \"{name}_all\" as select * from read_parquet('{glob}', hive_partitioning = true, union_by_name = true)"
        )
        keys = _keys(files[0])
        newest = ""
        if keys:
            listed = ", ".join('"' + key.replace('"', '""') + '"' for key in keys)
            newest = (
                f" qualify row_number() over (partition by {listed} order by revision desc) = 1"
            )
        connection.execute(f'create view "{name}" as select * from "{name}_all"{newest}')
        rows = connection.execute(f'select count(*) from "{name}"').fetchone()
        stamps = [path.name.split("-")[0] for path in files]
        found.append(Dataset(folder.name, len(files), int(rows[0]), min(stamps), max(stamps)))
    return connection, found


def _keys(file: Path) -> list[str]:
    """What identifies a row over its revisions; nothing for readings."""
    metadata = footer(file)
    keys: list[str] = json.loads(metadata.get("tocsin.keys", "[]"))
    return keys


def footer(file: Path) -> dict[str, str]:
    """The file's own metadata."""
    metadata = parquet.read_metadata(file).metadata or {}
    return {
        key.decode(): value.decode()
        for key, value in metadata.items()
        if key.startswith(b"tocsin.")
    }


def merged(spans: Iterable[LakeOffsets]) -> LakeOffsets:
    """The smallest spans that cover all."""
    by_topic: dict[str, list[dict[str, tuple[int, int]]]] = {}
    for topics in spans:
        for topic, partitions in topics.items():
            by_topic.setdefault(topic, []).append(partitions)
    return {topic: merge_offsets(partitions) for topic, partitions in by_topic.items()}


def offsets_in(head: dict[str, str]) -> LakeOffsets:
    """What a footer says that its file came from."""
    said = json.loads(head.get("tocsin.offsets", "{}"))
    return {
        topic: {name: (span[0], span[1]) for name, span in spans.items()}
        for topic, spans in said.items()
    }
