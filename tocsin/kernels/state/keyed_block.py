"""Keyed state of one shard as columns, one row for each key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import group_hashes, group_ids
from tocsin.kernels.batch import Floats, Int64s, no_rows
from tocsin.kernels.state.key_index import KeyIndex

VERSION = 1


class KeyedBlock:
    """Key columns, and a matrix of state with one row for each key.

    Attributes:
        keys: a RecordBatch of the key columns.
        values: float64 of shape (keys, width).
    """

    def __init__(self, keys: pa.RecordBatch, values: Floats) -> None:
        self.keys = keys
        # Capacity doubles, so that a new key does not copy the whole matrix.
        self._room = values
        self._index: KeyIndex | None = None
        self._collides = False

    @classmethod
    def empty(cls, key_schema: pa.Schema, width: int) -> KeyedBlock:
        """A block without keys."""
        return cls(no_rows(key_schema.remove_metadata()), np.empty((0, width)))

    @property
    def values(self) -> Floats:
        """The state of all keys: a view of shape (keys, width)."""
        return self._room[: self.keys.num_rows]

    def slots(self, keys: pa.RecordBatch, start: Floats) -> Int64s:
        """The row of each key. A new key gets a row with the values `start`.

        Args:
            keys: key columns, castable to the block's types. Keys may repeat.
            start: state of a new key, shape (width,).
        """
        theirs = [
            column.cast(field.type)
            for field, column in zip(self.keys.schema, keys.columns, strict=True)
        ]
        ids, first = group_ids(theirs)
        distinct = [column.take(pa.array(first)) for column in theirs]
        slots = self._find(distinct)
        new = np.flatnonzero(slots < 0)
        if len(new):
            slots[new] = self.keys.num_rows + np.arange(len(new))
            self.add(
                pa.RecordBatch.from_arrays(
                    [c.take(pa.array(new)) for c in distinct], schema=self.keys.schema
                ),
                start,
            )
        return slots[ids]

    def _find(self, distinct: list[Any]) -> Int64s:
        """The row of each distinct key, -1 for a new key."""
        if not self._collides:
            if self._index is None:
                self._index = KeyIndex()
                self._index.add(group_hashes(self.keys.columns))
            slots = self._index.find(group_hashes(distinct))
            here = pa.array(np.flatnonzero(slots >= 0))
            rows = pa.array(slots[slots >= 0])
            if all(
                ours.take(rows).equals(theirs.take(here))
                for ours, theirs in zip(self.keys.columns, distinct, strict=True)
            ):
                return slots
            # Two keys have one hash, or a key is NaN, which Arrow does not call equal to itself.
            self._collides, self._index = True, None
        known = self.keys.num_rows
        ids, first = group_ids(
            [pa.concat_arrays(both) for both in zip(self.keys.columns, distinct, strict=True)]
        )
        return np.where(first[ids[known:]] < known, first[ids[known:]], -1)

    def add(self, keys: pa.RecordBatch, values: Floats) -> None:
        """Append keys with their state.

        Args:
            keys: distinct key columns that the block does not hold yet.
            values: shape (keys, width), or (width,) for the same state of all.
        """
        known, count = self.keys.num_rows, self.keys.num_rows + keys.num_rows
        if count > len(self._room):
            room = np.empty((max(2 * known, count), self._room.shape[1]))
            room[:known] = self.values
            self._room = room
        self._room[known:count] = values
        if self._index is not None:
            self._index.add(group_hashes(keys.columns))
        self.keys = pa.concat_batches([self.keys, keys])

    def keep(self, rows: Any) -> None:
        """Remove the keys whose element in the boolean array `rows` is False."""
        self._room = self.values[rows]
        self.keys = self.keys.filter(pa.array(rows))
        self._index = None

    def to_bytes(self) -> bytes:
        """The block as an Arrow IPC stream that carries VERSION."""
        flat = pa.FixedSizeListArray.from_arrays(
            pa.array(self.values.ravel()), self.values.shape[1]
        )
        fields = [*self.keys.schema, pa.field("_state", flat.type)]
        schema = pa.schema(fields, metadata={"tocsin.block": str(VERSION)})
        batch = pa.RecordBatch.from_arrays([*self.keys.columns, flat], schema=schema)
        return to_ipc(batch)

    @classmethod
    def from_bytes(cls, data: bytes) -> KeyedBlock:
        """The block that `to_bytes` wrote.

        Raises:
            ValueError: for bytes of another version.
        """
        batch = from_ipc(data)
        version = (batch.schema.metadata or {}).get(b"tocsin.block", b"?").decode()
        if version != str(VERSION):
            raise ValueError(
                f"state block of version {version}, this program reads version {VERSION}"
            )
        flat = batch.column("_state")
        width = flat.type.list_size
        values = flat.flatten().to_numpy().reshape(-1, width).copy()
        keys = batch.select(batch.schema.names[:-1]).replace_schema_metadata(None)
        return cls(keys, values)


def to_ipc(batch: pa.RecordBatch, compression: str | None = None) -> bytes:
    """One batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(
        sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression=compression)
    ) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def from_ipc(data: bytes) -> pa.RecordBatch:
    """The batch of an Arrow IPC stream."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()
