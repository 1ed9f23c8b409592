"""Rows that a later revision of the same key supersedes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.lake.datasets import keys_of
from tocsin.lake.footers import table_in
from tocsin.lake.rewriting import Gone
from tocsin.table.table import Table

REVISION = "revision"


def superseded(table: Table) -> Gone:
    """The rows of a version that are not the newest revision of their key, by file.

    Empty for rows without keys or revisions.

    Raises Failure for a file that cannot be read.
    """
    paths = [file.path for file in table.files()]
    place = Path(table.place)
    keys = keys_of(table)
    if not keys or REVISION not in table.schema.names:
        return {}
    columns = [*keys, REVISION]
    parts = [table_in(place / path, columns).replace_schema_metadata(None) for path in paths]
    whole = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    old = _is_old(whole, keys)
    found: Gone = {}
    start = 0
    for path, part in zip(paths, parts, strict=True):
        mine = old[start : start + part.num_rows]
        start += part.num_rows
        if mine.any():
            found[path] = pa.array(mine)
    return found


def _is_old(rows: Any, keys: list[str]) -> Any:
    ids, first = group_ids([_column(rows, key) for key in keys])
    revisions = rows.column(REVISION).combine_chunks().fill_null(0).to_numpy(zero_copy_only=False)
    newest = np.full(len(first), np.iinfo(np.int64).min)
    np.maximum.at(newest, ids, revisions)
    return revisions < newest[ids]


def _column(rows: Any, name: str) -> Any:
    column = rows.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
