"""The rows that a shard keeps, as a log of batches."""

from __future__ import annotations

from operator import is_

import pyarrow as pa

from tocsin.kernels.batch import no_rows


def rows_of(log: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """The rows of a log as one batch with the metadata of `schema`, not that of its batches."""
    plain = [batch.replace_schema_metadata(schema.metadata) for batch in log]
    return pa.concat_batches(plain) if plain else no_rows(schema)


# Rows that may stay in a log although nothing needs them.
_SPENT = 4_000


def is_spent(rows: int, left: int) -> bool:
    """Whether a log is worth rewriting: most of its rows are no longer needed. left: the others."""
    return rows > max(2 * left, _SPENT if left else 0)


def same_pieces(one: list[bytes], other: list[bytes]) -> bool:
    """Whether two lists hold the same objects, not just equal ones."""
    return len(one) == len(other) and all(map(is_, one, other))


def begins_with(log: list[pa.RecordBatch], known: list[pa.RecordBatch]) -> bool:
    """Whether the first batches of a log are the known objects."""
    return len(log) >= len(known) and all(map(is_, log, known))
