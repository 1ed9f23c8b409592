"""Keyed state of one shard: a row a sensor, as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.aggregation.grouping import group_hashes, group_ids
from tocsin.kernels.batch import Floats, Int64s, no_rows
from tocsin.kernels.state.key_index import KeyIndex

VERSION = 1


class KeyedBlock:
    """Key columns and a float64 matrix with a row a key.

    keys: a RecordBatch of the key columns. values: shape (keys, width).
    """

    def __init__(self, keys: pa.RecordBatch, values: Floats) -> None:
        self.keys = keys
        # Grows by doubling, so that a key more is not a copy of all.
        self._room = values
        self._index: KeyIndex | None = None
        self._collides = False

    @classmethod
    def empty(cls, key_schema: pa.Schema, width: int) -> KeyedBlock:
        """A block without keys."""
        return cls(no_rows(key_schema.remove_metadata()), np.empty((0, width)))

    @property
    def values(self) -> Floats:
        return self._room[: self.keys.num_rows]

    def slots(self, keys: pa.RecordBatch, start: Floats) -> Int64s:
        """The row of each key, which need not be distinct; keys seen for the first time get the row `start`."""
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
        """The row of each of some distinct keys, -1 for new ones."""
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
            # Two keys with one hash (or a NaN among the keys, which Arrow tells from itself).
            self._collides, self._index = True, None
        known = self.keys.num_rows
        ids, first = group_ids(
            [pa.concat_arrays(both) for both in zip(self.keys.columns, distinct, strict=True)]
        )
        return np.where(first[ids[known:]] < known, first[ids[known:]], -1)

    def add(self, keys: pa.RecordBatch, values: Floats) -> None:
        """New keys, which are distinct and not yet here, with their rows (or one row for all)."""
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
        """Forget the keys whose row is False in `rows`."""
        self._room = self.values[rows]
        self.keys = self.keys.filter(pa.array(rows))
        self._index = None

    def to_bytes(self) -> bytes:
        """Versioned Arrow IPC."""
        flat = pa.FixedSizeListArray.from_arrays(
            pa.array(self.values.ravel()), self.values.shape[1]
        )
        fields = [*self.keys.schema, pa.field("_state", flat.type)]
        schema = pa.schema(fields, metadata={"tocsin.block": str(VERSION)})
        batch = pa.RecordBatch.from_arrays([*self.keys.columns, flat], schema=schema)
        return to_ipc(batch)

    @classmethod
    def from_bytes(cls, data: bytes) -> KeyedBlock:
        """The block that `to_bytes` wrote. Raises ValueError for another version's."""
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
