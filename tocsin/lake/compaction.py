"""Small files of a lake into large ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tocsin.lake.atomic_replace import exchange, remove_folder, workshop
from tocsin.lake.query import datasets_of, files_of, footer, merged, offsets_in

LARGE = 128 * 1024 * 1024
"""Bytes from which on a file is left as it is."""


@dataclass(frozen=True)
class Compacted:
    """What became of a dataset: files before and after, and rows, which are the same."""

    dataset: str
    before: int
    after: int
    rows: int


def compact(root: Path, older_than: int, dataset: str | None = None) -> list[Compacted]:
    """Put the small files of each folder into one, where all of them are older than the dataset's newest by `older_than`
    microseconds, so that no job writes there any more.

    A folder is exchanged for another one at once: who lists it sees the old files or the new one, and files that are open stay
    readable. A query that listed the folder before and opens its files after finds them gone, and has to be asked again. A unit
    that a job writes again afterwards stands there twice: `tocsin lake FOLDER check` tells.
    Raises Failure where the file system cannot exchange folders.
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
    """Gives the rows that were put together."""
    files = sorted(path for path in folder.glob("*.parquet") if not path.name.startswith("."))
    heads = {file: footer(file) for file in files}
    small = [file for file in files if file.stat().st_size < LARGE]
    if len(small) < 2 or any(
        int(head.get("tocsin.until", before + 1)) > before for head in heads.values()
    ):
        return 0
    if any(path.is_dir() for path in folder.iterdir()):
        return 0
    tables = [parquet.read_table(file, partitioning=None) for file in small]
    whole = pa.concat_tables(tables, promote_options="default")
    whole = whole.replace_schema_metadata(_footer([heads[file] for file in small], tables))
    # Not within the dataset, where readers would see it.
    beside = root / workshop("compacting")
    beside.mkdir()
    try:
        units = {name for head in heads.values() for name in _units(head)}
        first, last = small[0].name.split("-")[0], small[-1].name.split("-")[0]
        parquet.write_table(
            whole,
            beside / f"{first}-{last}-{len(units)}.parquet",
            compression="zstd",
            row_group_size=256 * 1024,
        )
        for file in set(files) - set(small):
            (beside / file.name).hardlink_to(file)
        exchange(folder, beside)
        # What came in the meantime, against all expectation, is not lost.
        for stray in set(beside.iterdir()) - {beside / file.name for file in files}:
            stray.rename(folder / stray.name)
    finally:
        remove_folder(beside)
    return int(whole.num_rows)


def _units(head: dict[str, str]) -> list[str]:
    units: list[str] = (
        json.loads(head["tocsin.units"]) if "tocsin.units" in head else [head["tocsin.unit"]]
    )
    return units


def _footer(heads: list[dict[str, str]], tables: list[pa.Table]) -> dict[str, str]:
    """What the files said of themselves, together."""
    said = {
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
        said["geo"] = json.dumps(about)
    return said
