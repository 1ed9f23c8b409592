"""A block of keyed state in pieces: one with all rows, then the changes, so changes are cheap."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Int64s
from tocsin.kernels.state.keyed_block import KeyedBlock, from_ipc, to_ipc

_VERSION = 2
_HEAD = b"tocsin.journal"
_SLOT = "_slot"
# All rows are written again with up to _SMALL keys, when more than _SHARE of the rows have changed,
# and after _PIECES pieces.
_SMALL = 2_000
_SHARE = 0.5
_PIECES = 64


class IncrementalBlock:
    """A block, its pieces, and a note of JSON values by name that each write replaces."""

    def __init__(self, block: KeyedBlock, note: dict[str, Any]) -> None:
        self.block = block
        self.note = note
        self.pieces: list[bytes] = []
        self._changed = 0

    @classmethod
    def read(cls, pieces: list[bytes], key_schema: pa.Schema, width: int) -> IncrementalBlock:
        """Read pieces. Raises ValueError if another version wrote them."""
        found = cls(KeyedBlock.empty(key_schema, width), {})
        rows = [found._apply(piece) for piece in pieces]
        found.pieces, found._changed = list(pieces), sum(rows[1:])
        return found

    def write(self, known: int, changed: Int64s, note: dict[str, Any]) -> list[bytes]:
        """Write the block: its pieces from now on.

        known: number of keys at the last write. changed: distinct slots that changed or are new.
        """
        self.note = note
        rows = self.block.keys.num_rows
        self._changed += len(changed)
        if (
            not self.pieces
            or rows <= _SMALL
            or self._changed > _SHARE * rows
            or len(self.pieces) >= _PIECES
        ):
            self.pieces = [self._piece(np.arange(rows), 0)]
            self._changed = 0
        else:
            self.pieces = [*self.pieces, self._piece(np.sort(changed), known)]
        return self.pieces

    def _piece(self, slots: Int64s, known: int) -> bytes:
        """Rows of the block, and the keys after `known`.

        Columns compress well on their own: most keep their first value.
        """
        head = json.dumps({"version": _VERSION, **self.note}).encode()
        values = np.ascontiguousarray(self.block.values[slots].T)
        columns = [pa.array(slots.astype(np.int32)), *map(pa.array, values)]
        names = [_SLOT, *(str(at) for at in range(len(values)))]
        rows = pa.RecordBatch.from_arrays(columns, names=names).replace_schema_metadata(
            {_HEAD: head}
        )
        first = to_ipc(rows, "lz4")
        keys = self.block.keys.take(pa.array(np.arange(known, self.block.keys.num_rows)))
        return len(first).to_bytes(8, "big") + first + to_ipc(keys)

    def _apply(self, piece: bytes) -> int:
        """Apply a piece to the block; the number of its rows."""
        size = int.from_bytes(piece[:8], "big")
        rows, keys = from_ipc(piece[8 : 8 + size]), from_ipc(piece[8 + size :])
        head = json.loads((rows.schema.metadata or {}).get(_HEAD, b"{}"))
        if head.pop("version", None) != _VERSION:
            raise ValueError(
                f"detection state of another version, this program reads version {_VERSION}"
            )
        self.note = head
        values = np.column_stack([column.to_numpy() for column in rows.columns[1:]])
        slots = rows.column(0).to_numpy()
        if keys.num_rows:
            self.block.add(keys, np.full(values.shape[1], np.nan))
        self.block.values[slots] = values
        return len(slots)
