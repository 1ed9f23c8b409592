"""The catalog of a lake: its datasets with columns, sizes, times and sources."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyarrow import parquet

from tocsin.kernels.column_notes import Notes, notes_in_fields
from tocsin.kernels.time.file_timestamps import parse_timestamp
from tocsin.lake.query import datasets_of, files_of, footer, offsets_in, schema_in


def catalog(root: Path) -> list[dict[str, Any]]:
    """One mapping for each dataset, from the files' footers; no row is read.

    Keys: `dataset`, `columns` (Arrow types by name), `notes` (`unit` and `description` by column),
    `partitioned_by`, `rows` (of all revisions), `files`, `bytes`, `from` and `to` (ISO 8601),
    `keys`, `topics`, and `retention_seconds` (None without retention).
    """
    found = []
    for folder in datasets_of(root):
        files = files_of(folder)
        if not files:
            continue
        heads = [footer(file) for file in files]
        columns: dict[str, str] = {}
        notes: Notes = {}
        for file in files:
            schema = schema_in(file)
            notes |= notes_in_fields(schema)
            for field in schema:
                columns.setdefault(field.name, str(field.type))
        parts = dict.fromkeys(
            p.partition("=")[0] for file in files for p in file.relative_to(folder).parts[:-1]
        )
        starts = [file.name.split("-")[0] for file in files]
        retention = {int(head["tocsin.retention"]) for head in heads if "tocsin.retention" in head}
        found.append(
            {
                "dataset": folder.name,
                "columns": columns,
                "notes": notes,
                "partitioned_by": list(parts),
                "rows": sum(parquet.read_metadata(file).num_rows for file in files),
                "files": len(files),
                "bytes": sum(file.stat().st_size for file in files),
                "from": datetime.fromtimestamp(parse_timestamp(min(starts)) / 1e6, UTC).isoformat(),
                "to": datetime.fromtimestamp(
                    max(int(head.get("tocsin.until", 0)) for head in heads) / 1e6, UTC
                ).isoformat(),
                "keys": json.loads(heads[0].get("tocsin.keys", "[]")),
                "topics": sorted({topic for head in heads for topic in offsets_in(head) if topic}),
                "retention_seconds": min(retention) / 1e6 if retention else None,
            }
        )
    return found
