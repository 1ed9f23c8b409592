"""Keyed state of one shard: a row a sensor, as columns. Read and written once a bundle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.columns.contract import Floats, Int64s, no_rows
from tocsin.columns.groups import group_ids

VERSION = 1


class Block:
    """Key columns and a float64 matrix with a row a key.

    keys: a RecordBatch of the key columns. values: shape (keys, width).
    """

    def __init__(self, keys: pa.RecordBatch, values: Floats) -> None:
        self.keys = keys
        self.values = values

    @classmethod
    def empty(cls, key_schema: pa.Schema, width: int) -> Block:
        """A block without keys."""
        return cls(no_rows(key_schema.remove_metadata()), np.empty((0, width)))

    def slots(self, keys: pa.RecordBatch, start: Floats) -> Int64s:
        """The row of each key, which need not be distinct; keys seen for the first time get the row `start`."""
        known = len(self.values)
        columns: list[Any] = [
            pa.concat_arrays([ours, theirs.cast(ours.type)]) for ours, theirs in zip(self.keys.columns, keys.columns, strict=True)
        ]
        ids, first = group_ids(columns)
        new = first[known:]
        if len(new):
            added = pa.RecordBatch.from_arrays([c.take(pa.array(new)) for c in columns], schema=self.keys.schema)
            self.keys = pa.concat_batches([self.keys, added])
            self.values = np.vstack([self.values, np.tile(start, (len(new), 1))])
        return ids[known:]

    def keep(self, rows: Any) -> None:
        """Forget the keys whose row is False in `rows`."""
        self.keys = self.keys.filter(pa.array(rows))
        self.values = self.values[rows]

    def to_bytes(self) -> bytes:
        """Versioned Arrow IPC."""
        flat = pa.FixedSizeListArray.from_arrays(pa.array(self.values.ravel()), self.values.shape[1])
        fields = [*self.keys.schema, pa.field("_state", flat.type)]
        schema = pa.schema(fields, metadata={"tocsin.block": str(VERSION)})
        batch = pa.RecordBatch.from_arrays([*self.keys.columns, flat], schema=schema)
        return to_ipc(batch)

    @classmethod
    def from_bytes(cls, data: bytes) -> Block:
        """The block that `to_bytes` wrote. Raises ValueError for another version's."""
        batch = from_ipc(data)
        version = (batch.schema.metadata or {}).get(b"tocsin.block", b"?").decode()
        if version != str(VERSION):
            raise ValueError(f"state block of version {version}, this program reads version {VERSION}")
        flat = batch.column("_state")
        width = flat.type.list_size
        values = flat.flatten().to_numpy().reshape(-1, width).copy()
        keys = batch.select(batch.schema.names[:-1]).replace_schema_metadata(None)
        return cls(keys, values)


def to_ipc(batch: pa.RecordBatch) -> bytes:
    """One batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def from_ipc(data: bytes) -> pa.RecordBatch:
    """The batch of an Arrow IPC stream."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()
