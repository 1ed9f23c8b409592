"""The order of rows in a file, and whether two sets of rows are the same."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from tocsin.kernels.batch import EVENT_TIME, INDEX, OFFSET, PARTITION
from tocsin.kernels.column_notes import without_metadata
from tocsin.lake.datasets import keys_in
from tocsin.lake.footers import table_in


def in_order(table: Any, heads: list[dict[str, str]]) -> Any:
    """Rows by window, keys and revision, or by time and place in the topic.

    Rows without such columns keep their order. heads: footers of the rows' files.
    """
    keys = keys_in(heads)
    wanted = [*keys, "revision"] if keys else [EVENT_TIME, PARTITION, OFFSET, INDEX]
    known = [name for name in wanted if name in table.column_names and _is_plain(table, name)]
    return table.sort_by([(name, "ascending") for name in known]) if known else table


def rows_digest(files: list[Path]) -> str:
    """SHA-256 of the rows of files, whatever their order.

    Footers do not count, because they hold the offsets of batches, which differ between runs. Units
    and descriptions of columns, and columns of nulls, do not count either.
    """
    tables = [without_metadata(table_in(file)) for file in files]
    rows = pa.concat_tables(tables, promote_options="default")
    named = [name for name in sorted(rows.column_names) if rows[name].null_count < len(rows)]
    rows = rows.select(named)
    plain = [(name, "ascending") for name in named if _is_plain(rows, name)]
    rows = (rows.sort_by(plain) if plain else rows).combine_chunks()
    stream: Any = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_table(rows)
    return hashlib.sha256(stream.getvalue()).hexdigest()


def _is_plain(table: Any, name: str) -> bool:
    kind = table.schema.field(name).type
    return not pa.types.is_nested(kind) and not pa.types.is_null(kind)
