"""Compacts the small files of a lake into large ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tocsin.kernels.column_notes import Notes, notes_footer, notes_in_fields, with_notes
from tocsin.lake.atomic_replace import exchange_folders, remove_folder, staging_name
from tocsin.lake.query import datasets_of, files_of, footer, merged, offsets_in, table_in

LARGE = 128 * 1024 * 1024
"""Files of this many bytes or more stay as they are."""


@dataclass(frozen=True)
class Compacted:
    """The outcome for a dataset: number of files before and after, and compacted rows."""

    dataset: str
    before: int
    after: int
    rows: int


def compact(root: Path, older_than: int, dataset: str | None = None) -> list[Compacted]:
    """Merge the small files of each folder into one file.

    Each folder is replaced atomically: a listing shows the old files or the new one, and open files
    stay readable. A query that lists the folder before and opens its files afterwards fails, and
    must be repeated. If a job later rewrites a unit of a compacted folder, its rows are there
    twice, and `tocsin lake FOLDER check` reports them.

    Args:
        root: folder of the lake.
        older_than: microseconds; a folder stays untouched if it is younger than the dataset's
            newest file by less, because a job may still write to it.
        dataset: name of the only dataset to compact; None for all.

    Raises:
        Failure: the file system cannot exchange two folders.
    """
    found = []
    for folder in (path for path in datasets_of(root) if dataset in (None, path.name)):
        files = files_of(folder)
        if not files:
            continue
        newest = max(int(footer(file).get("tocsin.until", 0)) for file in files)
        rows = 0
        for partition in sorted({file.parent for file in files}):
            rows += _compact_folder(root, partition, newest - older_than)
        found.append(Compacted(folder.name, len(files), len(files_of(folder)), rows))
    return found


def _compact_folder(root: Path, folder: Path, before: int) -> int:
    """Compact one folder; return the number of merged rows."""
    files = sorted(path for path in folder.glob("*.parquet") if not path.name.startswith("."))
    heads = {file: footer(file) for file in files}
    small = [file for file in files if file.stat().st_size < LARGE]
    if len(small) < 2 or any(
        int(head.get("tocsin.until", before + 1)) > before for head in heads.values()
    ):
        return 0
    if any(path.is_dir() for path in folder.iterdir()):
        return 0
    tables = [table_in(file) for file in small]
    whole = pa.concat_tables(tables, promote_options="default")
    notes = _notes(tables)
    footer_of_all = {**_footer([heads[file] for file in small], tables), **notes_footer(notes)}
    whole = with_notes(whole, notes).replace_schema_metadata(footer_of_all)
    # Outside of the dataset, because readers would see it there.
    staging = root / staging_name("compaction")
    staging.mkdir()
    try:
        units = {name for head in heads.values() for name in _units(head)}
        first, last = small[0].name.split("-")[0], small[-1].name.split("-")[0]
        parquet.write_table(
            whole,
            staging / f"{first}-{last}-{len(units)}.parquet",
            compression="zstd",
            row_group_size=256 * 1024,
        )
        for file in set(files) - set(small):
            (staging / file.name).hardlink_to(file)
        exchange_folders(folder, staging)
        # A file that arrived in the meantime, against all expectation, is not lost.
        for stray in set(staging.iterdir()) - {staging / file.name for file in files}:
            stray.rename(folder / stray.name)
    finally:
        remove_folder(staging)
    return int(whole.num_rows)


def _notes(tables: list[pa.Table]) -> Notes:
    """The notes on columns; those of the last file count."""
    found: Notes = {}
    for table in tables:
        found |= notes_in_fields(table.schema)
    return found


def _units(head: dict[str, str]) -> list[str]:
    units: list[str] = (
        json.loads(head["tocsin.units"]) if "tocsin.units" in head else [head["tocsin.unit"]]
    )
    return units


def _footer(heads: list[dict[str, str]], tables: list[pa.Table]) -> dict[str, str]:
    """The common footer of several files."""
    common = {
        "tocsin.offsets": json.dumps(merged(offsets_in(head) for head in heads), sort_keys=True),
        "tocsin.units": json.dumps(sorted(unit for head in heads for unit in _units(head))),
        "tocsin.until": str(max(int(head["tocsin.until"]) for head in heads)),
        "tocsin.keys": heads[0]["tocsin.keys"],
        **{name: heads[0][name] for name in ("tocsin.retention",) if name in heads[0]},
    }
    geo = (tables[0].schema.metadata or {}).get(b"geo")
    if geo is not None:
        about = json.loads(geo)
        for column in about["columns"].values():
            column.pop("bbox", None)
        common["geo"] = json.dumps(about)
    return common
