"""The catalog of a lake: its datasets with columns, sizes, times and sources."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tocsin.kernels.column_notes import Notes, notes_in_fields
from tocsin.lake.datasets import datasets_of, keys_in, live, table_of
from tocsin.lake.footers import footer_in, offsets_in, schema_in, start_of, units_in
from tocsin.table.owner import OWNER


def catalog(root: Path) -> list[dict[str, Any]]:
    """One mapping for each dataset, from the files' footers; no row is read.

    Keys: `dataset`, `version`, `columns` (types of the table by name), `notes` (`unit` and
    `description` by column), `rows` (of all revisions), `files`, `bytes`, `from` and `to`
    (ISO 8601; None where no footer has times), `keys`, `topics`, `owner` (the step that writes it,
    or None), and `retention_seconds` (None without retention).

    Raises Failure for a file that is missing or cannot be read.
    """
    found = []
    for folder in datasets_of(root):
        table = table_of(folder)
        files = table.files()
        if not files:
            continue
        schemas = {file: schema_in(file) for file in live(table)}
        heads = [footer_in(schema, file) for file, schema in schemas.items()]
        notes: Notes = {}
        for schema in schemas.values():
            notes |= notes_in_fields(schema)
        units = (start_of(unit) for head in heads for unit in units_in(head))
        starts = [start for start in units if start is not None]
        latest = [int(head["tocsin.until"]) for head in heads if "tocsin.until" in head]
        retention = {int(head["tocsin.retention"]) for head in heads if "tocsin.retention" in head}
        found.append(
            {
                "dataset": folder.name,
                "version": table.version,
                "columns": {field.name: str(field.type) for field in table.schema},
                "notes": notes,
                "rows": sum(file.rows for file in files),
                "files": len(files),
                "bytes": sum(file.size for file in files),
                "from": _iso(min(starts, default=None)),
                "to": _iso(max(latest, default=None)),
                "keys": keys_in(heads),
                "topics": sorted({topic for head in heads for topic in offsets_in(head) if topic}),
                "owner": table.properties.get(OWNER),
                "retention_seconds": min(retention) / 1e6 if retention else None,
            }
        )
    return found


def _iso(micros: int | None) -> str | None:
    """A time limited to the years 1 to 9999."""
    if micros is None:
        return None
    limited = min(max(micros, -62_135_596_800_000_000), 253_402_300_799_000_000)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=limited)).isoformat()
