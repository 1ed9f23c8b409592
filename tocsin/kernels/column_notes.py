"""Units and descriptions of columns, in the metadata of Arrow fields and in a footer.

Arrow keeps the metadata of a field in a Parquet file, and pyarrow, Polars and pandas return it.
Readers that see only the file's own metadata, such as DuckDB, find the same in one footer.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from tocsin.kernels.batch import traits

UNIT, DESCRIPTION = "unit", "description"
FOOTER = "tocsin.columns"

Notes = dict[str, dict[str, str]]
"""`unit` (a UCUM code) and `description` by column; columns without either are absent."""


def notes_of(schema: pa.Schema) -> Notes:
    """The notes on a batch's columns, from the traits of its schema."""
    known = traits(schema)
    return _by_column(schema, {UNIT: known.units, DESCRIPTION: known.descriptions})


def notes_in_fields(schema: pa.Schema) -> Notes:
    """The notes in the metadata of a file's fields."""
    metadata = {field.name: field.metadata or {} for field in schema}
    return _by_column(
        schema,
        {
            key: {
                name: found[key.encode()].decode("utf-8", "replace")
                for name, found in metadata.items()
                if key.encode() in found
            }
            for key in (UNIT, DESCRIPTION)
        },
    )


def _by_column(schema: pa.Schema, by_key: dict[str, dict[str, str]]) -> Notes:
    found = {
        name: {key: texts[name] for key, texts in by_key.items() if name in texts}
        for name in schema.names
    }
    return {name: notes for name, notes in found.items() if notes}


def with_notes(table: Any, notes: Notes) -> Any:
    """A table with these notes in the metadata of its fields; the schema's metadata stays."""
    fields = [field.with_metadata(notes.get(field.name)) for field in table.schema]
    return pa.Table.from_arrays(
        table.columns, schema=pa.schema(fields, metadata=table.schema.metadata)
    )


def without_metadata(table: Any) -> Any:
    """A table without the metadata of its schema and its fields."""
    return with_notes(table, {}).replace_schema_metadata(None)


def notes_footer(notes: Notes) -> dict[str, str]:
    """The footer with the notes; empty without notes."""
    return {FOOTER: json.dumps(notes, sort_keys=True, ensure_ascii=False)} if notes else {}
