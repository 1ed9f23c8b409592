"""The emitted rows that later rows of their key are compared with, and their form on disk."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import FOREVER, Booleans, Int64s
from tocsin.kernels.state.keyed_block import KeyedBlock, from_ipc, to_ipc
from tocsin.steps.ordered.kept_rows import KeptRows

_SLOT, _TIME = "_slot", "_time"
_NO_STATE = np.empty(0)
# All rows are written again after _PIECES pieces, or the root of the number of rows if that is
# more; when more than _SPARE rows were written that are not needed, and more of them than of
# others; and when they are no more than _FEW beyond the new ones.
_PIECES, _SPARE, _FEW = 64, 2_000, 16


class History:
    """Rows of each key in order of event time, and the time up to which rows were emitted.

    key_schema: of the key columns. columns: of the rows. pieces: the bytes that it was read from or
    written to.
    """

    def __init__(self, key_schema: pa.Schema, columns: pa.Schema) -> None:
        self.keys = KeyedBlock.empty(key_schema, 0)
        self.kept = KeptRows(pa.schema([pa.field(_TIME, pa.int64()), *columns]))
        self.pieces: list[bytes] = []
        self.released = -FOREVER
        self._written_keys = self._written_rows = 0

    @classmethod
    def read(
        cls,
        pieces: list[bytes],
        key_schema: pa.Schema,
        columns: pa.Schema,
        read_note: Callable[[bytes], dict[str, Any]],
    ) -> History:
        """Read pieces. Raises ValueError if another version wrote them."""
        found = cls(key_schema, columns)
        slots, rows = [np.zeros(0, np.int64)], []
        for piece in pieces:
            note, part, keys = _apart(piece)
            found.released = read_note(note)["released"]
            batch = from_ipc(part)
            slots.append(batch.column(0).to_numpy().astype(np.int64))
            rows.append(pa.RecordBatch.from_arrays(batch.columns[1:], schema=found.kept.schema))
            found.keys.add(from_ipc(keys), _NO_STATE)
        found.pieces = list(pieces)
        found._written_keys = found.keys.keys.num_rows
        found.kept.make_room(found._written_keys)
        if rows:
            owners = np.concatenate(slots)
            found._written_rows = len(owners)
            order = np.argsort(owners, kind="stable")
            in_order = pa.concat_batches(rows).take(pa.array(order))
            found.kept.replace(np.unique(owners), owners[order], in_order)
        return found

    def slots(self, keys: pa.RecordBatch) -> Int64s:
        """The slot of each key; a new key gets a new one."""
        found = self.keys.slots(keys, _NO_STATE)
        self.kept.make_room(self.keys.keys.num_rows)
        return found

    def of(self, slots: Int64s) -> tuple[Int64s, Int64s, list[Any]]:
        """The rows of distinct slots, sorted by slot: the slot and time of each, and columns."""
        owners, rows = self.kept.of(slots)
        return owners, rows.column(0).to_numpy(), rows.columns[1:]

    @property
    def nothing(self) -> tuple[Int64s, pa.RecordBatch]:
        """No rows, and the slots of none."""
        return self.kept.of(np.zeros(0, np.int64))

    def replace(
        self, slots: Int64s, owners: Int64s, times: Int64s, columns: list[Any], new: Booleans
    ) -> tuple[Int64s, pa.RecordBatch]:
        """Give distinct slots other rows. owners: the slot of each row, sorted.

        Gives the rows that are new, for `write`, with their slots.
        """
        rows = pa.RecordBatch.from_arrays([pa.array(times), *columns], schema=self.kept.schema)
        self.kept.replace(slots, owners, rows)
        return owners[new], rows.filter(pa.array(new))

    def write(
        self,
        owners: Int64s,
        rows: pa.RecordBatch,
        released: int,
        note: Callable[..., bytes],
    ) -> None:
        """Write to `pieces` what changed.

        owners, rows: the kept rows that are new. released: the time up to which rows were emitted.
        """
        self.released = released
        head = note(released=released)
        left = self.kept.rows
        self._written_rows += len(owners)
        keys = self.keys.keys
        if (
            not self.pieces
            or len(self.pieces) >= max(_PIECES, isqrt(left))
            or self._written_rows > max(2 * left, left + _SPARE)
            or left + keys.num_rows <= len(owners) + _FEW
        ):
            self.pieces = [_piece(head, *self.kept.all(), keys)]
            self._written_rows = left
        else:
            more = keys.slice(self._written_keys)
            self.pieces = [*self.pieces, _piece(head, owners, rows, more)]
        self._written_keys = keys.num_rows


def _piece(head: bytes, owners: Int64s, rows: pa.RecordBatch, keys: pa.RecordBatch) -> bytes:
    slot = pa.array(owners.astype(np.int32))
    part = pa.RecordBatch.from_arrays(
        [slot, *rows.columns], schema=pa.schema([pa.field(_SLOT, pa.int32()), *rows.schema])
    )
    parts = [head, to_ipc(part, "lz4"), to_ipc(keys)]
    return b"".join(len(one).to_bytes(4, "big") + one for one in parts)


def _apart(piece: bytes) -> tuple[bytes, bytes, bytes]:
    """The note, the rows and the keys of a piece."""
    if piece[:1] == b"{":
        # Version 1 had nothing but a note.
        return piece, b"", b""
    found, at = [], 0
    for _ in range(3):
        size = int.from_bytes(piece[at : at + 4], "big")
        found.append(piece[at + 4 : at + 4 + size])
        at += 4 + size
    return found[0], found[1], found[2]
