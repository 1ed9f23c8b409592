"""One plain Parquet or GeoParquet file of a dataset, for programs that know no tables."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.foundation.synced import sync
from tocsin.kernels.column_notes import Notes, notes_footer, notes_in_fields, with_notes
from tocsin.lake.compaction import geo_of
from tocsin.lake.datasets import chosen, on_newest, table_of
from tocsin.lake.footers import schema_in, table_in
from tocsin.lake.superseded import superseded
from tocsin.table.columns import as_table
from tocsin.table.table import Table


@dataclass(frozen=True)
class Exported:
    """The written file. version: of the table. geometry: whether the file is GeoParquet."""

    dataset: str
    version: int
    to: str
    rows: int
    geometry: bool


def export(root: Path, dataset: str, to: Path, at: str | None = None) -> Exported:
    """Write the newest revision of each row of a dataset to one file.

    A reader of the file sees the old one or the whole new one.

    Args:
        root: folder of the lake.
        dataset: its name.
        to: the file. It is replaced, and lies outside of the dataset.
        at: a version or a time of the table; None for the newest version.

    Raises:
        Failure: if there is no such dataset or version, a file of it cannot be read, the dataset
            is empty, or `to` cannot be written.
    """
    (folder,) = chosen(root, dataset)
    if to.resolve().is_relative_to(folder.resolve()):
        raise Failure(f"{to} is inside of the dataset '{dataset}'; export to another folder")
    if at is not None:
        return _export(folder, to, table_of(folder, at))
    return on_newest(folder, lambda table: _export(folder, to, table))


def _export(folder: Path, to: Path, table: Table) -> Exported:
    dataset = folder.name
    files = [folder / file.path for file in table.files()]
    if not files:
        raise Failure(f"the dataset '{dataset}' has no rows at version {table.version}")
    schemas = [schema_in(file) for file in files]
    notes: Notes = {}
    for one in schemas:
        notes |= notes_in_fields(one)
    geo = next((found for one in schemas if (found := geo_of(one))), None)
    about = {**notes_footer(notes), **({"geo": geo} if geo else {})}
    schema = with_notes(table.schema.empty_table(), notes).schema.with_metadata(about or None)
    hidden = to.with_name(f".{to.name}.{secrets.token_hex(4)}.part")
    try:
        rows = _write(table, files, schema, hidden)
        hidden.replace(to)
        sync(to.parent)
    except OSError as error:
        raise Failure(f"cannot write {to}: {error.strerror or error}") from None
    finally:
        hidden.unlink(missing_ok=True)
    return Exported(dataset, table.version, str(to), rows, geo is not None)


def _write(table: Table, files: list[Path], schema: pa.Schema, hidden: Path) -> int:
    old = superseded(table)
    count = 0
    with parquet.ParquetWriter(hidden, schema, compression="zstd") as writer:
        for file in files:
            rows = table_in(file)
            gone = old.get(str(file.relative_to(table.place)))
            if gone is not None:
                rows = rows.filter(pc.invert(gone))
            count += rows.num_rows
            writer.write_table(as_table(rows, schema), row_group_size=256 * 1024)
    with hidden.open("rb") as written:
        os.fsync(written.fileno())
    return count
