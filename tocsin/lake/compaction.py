"""Compacts the small files of a lake into large ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tocsin.foundation.failure import Failure
from tocsin.kernels.column_notes import Notes, notes_footer, notes_in_fields, with_notes
from tocsin.lake.datasets import chosen, on_newest, table_of
from tocsin.lake.footers import (
    first_start,
    footers_of,
    merged,
    offsets_in,
    start_of,
    tables_in,
    units_in,
)
from tocsin.lake.row_order import in_order
from tocsin.table.columns import stored_table, with_all_columns
from tocsin.table.commit import Change, NewFile, commit
from tocsin.table.data_file import data_path, remove_unseen, write_data_file
from tocsin.table.table import LiveFile, Table

LARGE = 128 * 1024 * 1024
"""Files of this many bytes or more stay as they are."""
_ROUNDS = 20
_DAY = 86_400_000_000
# What the files that become one have in common, and the footer says.
_SAME = ("tocsin.keys", "tocsin.run", "tocsin.retention", "tocsin.parts")
Head = dict[str, str]


@dataclass(frozen=True)
class Compacted:
    """The outcome for a dataset: number of files before and after, and compacted rows."""

    dataset: str
    before: int
    after: int
    rows: int


def compact(root: Path, older_than: int, dataset: str | None = None) -> list[Compacted]:
    """Merge the small files of each day of a dataset into one file.

    Files of different runs, topics, keys or retentions stay apart. Rows are sorted. All files of a
    dataset are exchanged in one commit: a query sees the old files or the new ones, and both have
    the same rows. Files that another writer removes meanwhile stay removed.

    Args:
        root: folder of the lake.
        older_than: microseconds; a file stays untouched if it is younger than the dataset's newest
            file by less.
        dataset: name of the only dataset to compact; None for all.

    Raises:
        Failure: if a file cannot be read, or there is no such dataset.
    """
    return [_compacted(folder, older_than) for folder in chosen(root, dataset)]


def _compacted(folder: Path, older_than: int) -> Compacted:
    heads: dict[str, Head] = {}
    before, rows = len(table_of(folder).files()), 0
    for _ in range(_ROUNDS):
        done, lost = on_newest(folder, lambda table: _round(folder, table, heads, older_than))
        rows += done
        if not lost:
            break
    return Compacted(folder.name, before, len(table_of(folder).files()), rows)


def _round(folder: Path, table: Table, heads: dict[str, Head], older_than: int) -> tuple[int, bool]:
    files = table.files()
    new = [file.path for file in files if file.path not in heads]
    heads.update(zip(new, footers_of(folder / path for path in new), strict=True))
    groups = list(_groups(files, heads, older_than))
    return _exchange(folder, table, groups, heads) if groups else (0, False)


def _groups(
    files: list[LiveFile], heads: dict[str, Head], older_than: int
) -> Iterator[list[LiveFile]]:
    """The files that become one, at least two each and together hardly larger than LARGE."""
    latest = [int(heads[file.path]["tocsin.until"]) for file in files if _is_ours(heads[file.path])]
    limit = max(latest, default=0) - older_than
    alike: dict[tuple[Any, ...], list[LiveFile]] = {}
    for file in files:
        head = heads[file.path]
        if _is_ours(head) and int(head["tocsin.until"]) <= limit and file.size < LARGE:
            alike.setdefault(_kind(head), []).append(file)
    for kind in alike.values():
        group: list[LiveFile] = []
        size = 0
        for file in sorted(kind, key=lambda file: (first_start(heads[file.path]), file.path)):
            group.append(file)
            size += file.size
            if size >= LARGE:
                yield from [group] if len(group) > 1 else []
                group, size = [], 0
        if len(group) > 1:
            yield group


def _is_ours(head: Head) -> bool:
    """Whether a footer has what a compacted file needs. Files of other programs stay."""
    units = units_in(head)
    return bool(
        "tocsin.until" in head and units and all(start_of(one) is not None for one in units)
    )


def _kind(head: Head) -> tuple[Any, ...]:
    """Files of one kind may become one.

    The shards of a bounded run stay apart, because a further run removes those without an end.
    """
    run = head.get("tocsin.run", "")
    shards = frozenset(".".join(unit.split(".")[1:2]) for unit in units_in(head)) if run else None
    return (
        first_start(head) // _DAY,
        run,
        shards,
        frozenset(offsets_in(head)),
        *(head.get(name) for name in _SAME),
    )


def _exchange(
    folder: Path, table: Table, groups: list[list[LiveFile]], heads: dict[str, Head]
) -> tuple[int, bool]:
    """Put one file in the place of each group; the exchanged rows, and whether a group was lost."""
    place = str(folder)
    made: list[tuple[list[LiveFile], NewFile]] = []
    used: list[tuple[list[LiveFile], NewFile]] = []

    def change_of(newest: Table) -> Change | None:
        alive = {file.path for file in newest.files()}
        used[:] = [one for one in made if all(file.path in alive for file in one[0])]
        if not used:
            return None
        removes = [file for group, _ in used for file in group]
        return Change("OPTIMIZE", [file for _, file in used], removes, changes_rows=False)

    try:
        for group in groups:
            # One after another, so that those before a failure are deleted.
            made.append((group, _merged(folder, table, group, heads)))  # noqa: PERF401
        commit(place, change_of)
    except Failure:
        remove_unseen(place, [file for _, file in made])
        raise
    kept = {file.path for _, file in used}
    remove_unseen(place, [file for _, file in made if file.path not in kept])
    return sum(file.rows for group, _ in used for file in group), len(used) < len(groups)


def _merged(folder: Path, table: Table, group: list[LiveFile], heads: dict[str, Head]) -> NewFile:
    """One file with the rows of several."""
    tables = tables_in(folder / file.path for file in group)
    notes = _notes(tables)
    plain = [with_notes(stored_table(one), {}).replace_schema_metadata(None) for one in tables]
    whole = with_all_columns(pa.concat_tables(plain, promote_options="permissive"), table.schema)
    ours = [heads[file.path] for file in group]
    about = {**_footer(ours, tables), **notes_footer(notes)}
    whole = with_notes(in_order(whole, ours), notes).replace_schema_metadata(about)
    start = min(first_start(head) for head in ours)
    return write_data_file(str(folder), data_path(start, f"{len(group)}-files"), whole)


def _notes(tables: list[pa.Table]) -> Notes:
    """The notes on columns; those of the last file count."""
    found: Notes = {}
    for table in tables:
        found |= notes_in_fields(table.schema)
    return found


def _footer(heads: list[Head], tables: list[pa.Table]) -> dict[str, str]:
    """The common footer of several files of one kind."""
    common = {
        "tocsin.offsets": json.dumps(merged(offsets_in(head) for head in heads), sort_keys=True),
        "tocsin.units": json.dumps(sorted({unit for head in heads for unit in units_in(head)})),
        "tocsin.until": str(max(int(head["tocsin.until"]) for head in heads)),
        **{name: heads[0][name] for name in _SAME if name in heads[0]},
    }
    latenesses = [head["tocsin.lateness"] for head in heads if "tocsin.lateness" in head]
    if len(latenesses) == len(heads):
        common["tocsin.lateness"] = max(latenesses, key=int)
    geo = next((found for one in tables if (found := geo_of(one.schema))), None)
    return {**common, "geo": geo} if geo else common


def geo_of(schema: pa.Schema) -> str | None:
    """The metadata of GeoParquet without the box, which other rows exceed; None without it."""
    found = (schema.metadata or {}).get(b"geo")
    if found is None:
        return None
    about = json.loads(found)
    for column in about["columns"].values():
        column.pop("bbox", None)
    return json.dumps(about)
