"""A growing hash table from keys to rows. It looks keys up without hashing the known keys again."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.aggregation.grouping import Hashes
from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled

_LEAST = 64


class KeyIndex:
    """Rows by the hash of their key. The caller compares the keys, because hashes may collide."""

    def __init__(self) -> None:
        self._table = np.full(_LEAST, -1, np.int64)
        self._hashes = np.empty(_LEAST, np.uint64)
        self._count = 0

    def find(self, hashes: Hashes) -> Int64s:
        """The row of each hash, -1 for an unknown hash."""
        rows = np.empty(len(hashes), np.int64)
        _find(self._table, self._hashes, hashes, rows)
        return rows

    def add(self, hashes: Hashes) -> None:
        """Append rows: the first hash gets the next row number."""
        count = self._count + len(hashes)
        if count > len(self._hashes):
            grown = np.empty(max(2 * len(self._hashes), count), np.uint64)
            grown[: self._count] = self._hashes[: self._count]
            self._hashes = grown
        self._hashes[self._count : count] = hashes
        if 2 * count > len(self._table):
            self._table = np.full(1 << int(4 * count).bit_length(), -1, np.int64)
            self._count = 0
        _put(self._table, self._hashes, self._count, count)
        self._count = count


@compiled
def _find(table: Int64s, known: Hashes, hashes: Hashes, rows: Int64s) -> None:
    """Write the row of each hash to `rows`. Linear probing; -1 marks an empty place."""
    mask = np.uint64(len(table) - 1)
    for row in range(len(hashes)):
        at = hashes[row] & mask
        while table[at] >= 0 and known[table[at]] != hashes[row]:
            at = (at + np.uint64(1)) & mask
        rows[row] = table[at]


@compiled
def _put(table: Int64s, known: Hashes, first: int, last: int) -> None:
    """Insert the rows from `first` to `last`."""
    mask = np.uint64(len(table) - 1)
    for row in range(first, last):
        at = known[row] & mask
        while table[at] >= 0:
            at = (at + np.uint64(1)) & mask
        table[at] = row
