"""Makes tables with files, footers and marks, without a job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from tocsin.table.commit import Change, NewFile, commit
from tocsin.table.data_file import data_path, write_data_file
from tocsin.table.table import create_table, open_table

HOUR, DAY = 3_600_000_000, 86_400_000_000
START = 1_772_409_600_000_000  # 2026-03-02T00:00Z
TOPIC = "city.locks"
ROWS = 6
"""Rows of an hour."""


def readings(hour: int, count: int = ROWS, **columns: list[Any]) -> pa.Table:
    """Readings of an hour: lock_id, value, and their places in one partition of a topic."""
    first = hour * count
    times = [START + hour * HOUR + at * 1_000_000 for at in range(count)]
    found = {
        "lock_id": pa.array([f"l-{at % 3}" for at in range(count)]),
        "value": pa.array([float(hour * 100 + at) for at in range(count)]),
        "_event_time": pa.array(times, pa.timestamp("us", "UTC")),
        "_partition": pa.array([0] * count, pa.int32()),
        "_offset": pa.array([first + at for at in range(count)], pa.int64()),
        "_index": pa.array([0] * count, pa.int32()),
    }
    return pa.table({**found, **{name: pa.array(values) for name, values in columns.items()}})


def written(dataset: Path, rows: Any, hour: int = 0, **head: Any) -> NewFile:
    """Write a file that no commit has: by default of the unit of an hour, with its offsets.

    head: further entries of the footer without their prefix; None leaves one out.
    """
    start = START + hour * HOUR
    about: dict[str, Any] = {"unit": f"{start}.s000.r0", "until": start + HOUR, "run": ""}
    about |= {"keys": "[]", "offsets": json.dumps({TOPIC: _offsets(rows)}), **head}
    footer = {f"tocsin.{name}": str(value) for name, value in about.items() if value is not None}
    known = rows.schema.metadata or {}
    return write_data_file(
        str(dataset), data_path(start, "test"), rows.replace_schema_metadata({**known, **footer})
    )


def _offsets(rows: Any) -> dict[str, list[int]]:
    if "_offset" not in rows.column_names or not rows.num_rows:
        return {}
    offsets = rows.column("_offset").to_pylist()
    return {"0": [min(offsets), max(offsets)]}


def add(
    dataset: Path, *files: NewFile, schema: pa.Schema | None = None, **marks: int
) -> int | None:
    """Commit files to a dataset, which is made where it is missing; the version."""
    if open_table(str(dataset)) is None:
        known = readings(0).schema if schema is None else schema.remove_metadata()
        create_table(str(dataset), known, [], {})
    return commit(str(dataset), lambda _: Change("WRITE", files, marks=marks))


def put(dataset: Path, rows: Any, hour: int = 0, **head: Any) -> Path:
    """Write and commit one file; its path."""
    file = written(dataset, rows, hour, **head)
    add(dataset, file, schema=rows.schema)
    return dataset / file.path


def write_hours(dataset: Path, hours: range, **head: Any) -> None:
    """One file of readings for each hour, all in one commit."""
    add(dataset, *(written(dataset, readings(hour), hour, **head) for hour in hours))


def rows_of(lake: Path, name: str, columns: str = "lock_id, value, _offset") -> list[Any]:
    """Columns of a dataset's newest rows, sorted."""
    from tocsin.lake.query import open_views

    query = f"select {columns} from {name} order by all"
    found: list[Any] = open_views(lake)[0].execute(query).fetchall()
    return found
