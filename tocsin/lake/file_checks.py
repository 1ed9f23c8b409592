"""Faults of the files of a table, compared with its log."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tocsin.lake.footers import schema_in, start_of, units_in, unreadable
from tocsin.table.checksums import checksum_of, checksums
from tocsin.table.columns import new_columns
from tocsin.table.leftovers import HOUR, left_over
from tocsin.table.owner import OWNER
from tocsin.table.table import LiveFile, Table


def check_files(files: dict[Path, LiveFile]) -> dict[Path, str]:
    """Compare sizes and counts of rows with the log. files: readable ones."""
    found = {}
    for path, known in files.items():
        rows, size = parquet.read_metadata(path).num_rows, path.stat().st_size
        if rows != known.rows:
            found[path] = f"{path}: has {rows:,} rows, and {known.rows:,} by the log"
        elif size != known.size:
            found[path] = f"{path}: has {size:,} bytes, and {known.size:,} by the log"
    return found


def check_checksums(files: dict[Path, LiveFile], known: dict[str, str]) -> dict[Path, str]:
    """The files whose bytes differ from those that were committed, each with a sentence.

    Sizes and counts of rows may be right. files: those to compare. known: the `checksums` of the
    log. Files without one are passed over.
    """
    found = {}
    for path, file in files.items():
        expected = known.get(file.path)
        try:
            if expected is not None and checksum_of(path) != expected:
                found[path] = (
                    f"{path}: its bytes differ from those that were written (checksum); restore it "
                    "from a copy of the lake, or write its rows again with `tocsin backfill`"
                )
        except OSError as error:
            found[path] = f"{path}: cannot be read: {error.strerror}"
    return found


def damaged(table: Table) -> dict[Path, str]:
    """The files of a version that are missing, cannot be read or have changed, with sentences."""
    files = {Path(table.place) / file.path: file for file in table.files()}
    bad = unreadable(files)
    known = checksums(table.place, table.version)
    return bad | check_checksums({p: f for p, f in files.items() if p not in bad}, known)


def without_checksum(name: str, files: dict[Path, LiveFile], known: dict[str, str]) -> list[str]:
    """A note on files of other writers in a dataset, whose bytes cannot be compared."""
    count = sum(file.path not in known for file in files.values())
    return [f"{name}: {count:,} files without a checksum, not compared"] if count else []


def check_types(table: Table, files: list[Path]) -> list[str]:
    """Look for columns that the table lacks, or has in another type."""
    found = []
    for file in files:
        schema = schema_in(file).remove_metadata()
        try:
            added = new_columns(table.schema, schema, Path(table.place).name)
        except (ValueError, pa.ArrowException) as error:
            found.append(f"{file}: {str(error).partition(';')[0]}")
            continue
        found += [f"{file}: the table has no column '{field.name}'" for field in added]
    return found


def check_marks(table: Table, heads: dict[Path, dict[str, str]]) -> list[str]:
    """Look for files of the live job that its marks do not cover: a restart writes them again."""
    owner = table.properties.get(OWNER)
    if owner is None:
        return []
    found = []
    marks: dict[str, int | None] = {}
    for path, head in heads.items():
        if head.get("tocsin.run") != "" or "tocsin.until" not in head:
            continue
        for unit in units_in(head):
            _, *rest = unit.split(".")
            if start_of(unit) is None or len(rest) != 2:
                continue
            mark = marks.setdefault(rest[0], table.mark(f"{owner}//{rest[0]}"))
            # A compacted file has several units, of which the last ends at its `until`.
            until = int(head["tocsin.until"]) if "tocsin.unit" in head else start_of(unit)
            if mark is not None and until is not None and mark < until:
                found.append(
                    f"{path}: the mark of {rest[0]} does not cover its unit {unit}, "
                    "so a restart would write the unit again"
                )
                break
    return found


def check_leftovers(folder: Path) -> list[str]:
    """Files of no version, older than an hour: a process was killed before its commit."""
    orphans = sorted(path for path, age in left_over(str(folder)).orphans.items() if age > HOUR)
    if not orphans:
        return []
    sentence = (
        f"{folder.name}: {len(orphans)} files that no version has, older than an hour, such as "
        f"{orphans[0]}; `maintain` deletes them"
    )
    return [sentence]
