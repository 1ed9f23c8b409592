"""Traces of erased values in a table's folder: rows, and bounds of rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tocsin.table.table import LOG


def traces(place: Path, keys: set[str]) -> Iterator[str]:
    """A sentence for each file with a value, whether a version has the file or not."""
    for path in place.rglob("*") if keys else []:
        if not path.is_file():
            continue
        content = path.read_bytes()
        found = {key for key in keys if key.encode() in content}
        if path.suffix == ".parquet" and path.parent.name != LOG:
            found |= keys & _locks(path)
        yield from (f"{path.name} has {key}" for key in sorted(found))


def _locks(path: Path) -> set[str]:
    try:
        return set(parquet.read_table(path, columns=["lock_id"]).column("lock_id").to_pylist())
    except pa.ArrowInvalid:
        # It was cut before its footer, which has the places of all values.
        return set()
