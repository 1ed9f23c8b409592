"""Dense group numbers over key columns, and row hashes that are equal on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled

Hashes = npt.NDArray[np.uint64]


def group_ids(columns: list[Any]) -> tuple[Int64s, Int64s]:
    """Group numbers in order of first appearance, and the first row of each group.

    Args:
        columns: key columns, Arrow arrays or int64 NumPy arrays, all of one length. Null is a key
            of its own. NaN equals NaN.
    """
    parts = [_words(column) for column in _distinguishing(columns)]
    count = len(columns[0])
    hashes = _hashes_of(parts, count)
    ids, first = np.empty(count, np.int64), np.empty(count, np.int64)
    first = first[: _number(hashes, ids, first, np.full(_table_size(count), -1, np.int64))]
    for words, ends, nulls in parts:
        if not _agree(ids, first, words, ends, nulls):
            # Two keys have one hash.
            return _by_dictionaries(columns)
    return ids, first


def _distinguishing(columns: list[Any]) -> list[Any]:
    """The columns without NumPy columns that hold one value or equal an earlier column.

    Window columns of most batches are such. Comparing a column is far cheaper than hashing it.
    """
    kept: list[Any] = []
    for column in columns:
        if not isinstance(column, np.ndarray):
            kept.append(column)
        elif len(column) and (column == column[0]).all():
            continue
        elif not any(
            isinstance(one, np.ndarray) and (one is column or np.array_equal(one, column))
            for one in kept
        ):
            kept.append(column)
    return kept or columns[:1]


def group_hashes(columns: list[Any]) -> Hashes:
    """The 64-bit hash of each row by which `group_ids` groups. Equal keys have equal hashes."""
    return _hashes_of([_words(column) for column in columns], len(columns[0]))


def _hashes_of(parts: list[tuple[Any, Int64s, Any]], count: int) -> Hashes:
    hashes = np.zeros(count, np.uint64)
    for words, ends, nulls in parts:
        _mix_in(hashes, words, ends, nulls)
    return hashes


def _table_size(rows: int) -> int:
    return 1 << max(int(2 * rows).bit_length(), 4)


_NO_ENDS, _NO_NULLS = np.zeros(0, np.int64), np.zeros(0, np.bool_)


def _words(column: Any) -> tuple[Any, Int64s, Any]:
    """A column as 64-bit words or bytes, the bounds of each value in bytes, and its null mask.

    Words have no bounds. A column without nulls has an empty mask.
    """
    if isinstance(column, np.ndarray):
        return column.view(np.uint64), _NO_ENDS, _NO_NULLS
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _words(column.dictionary_decode())
    nulls = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else _NO_NULLS
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        _, offsets, data = column.buffers()
        bounds = np.frombuffer(offsets, np.int32)[
            column.offset : column.offset + len(column) + 1
        ].astype(np.int64)
        return (
            (
                np.frombuffer(data, np.uint8)
                if data is not None and data.size
                else np.zeros(0, np.uint8)
            ),
            bounds,
            nulls,
        )
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return (
            column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64),
            _NO_ENDS,
            nulls,
        )
    if pa.types.is_timestamp(kind):
        return (
            column.view(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64),
            _NO_ENDS,
            nulls,
        )
    if pa.types.is_floating(kind):
        return _float_words(column), _NO_ENDS, nulls
    codes, _ = _codes(column)
    return codes.view(np.uint64), _NO_ENDS, _NO_NULLS


@compiled
def _mix_in(hashes: Hashes, words: Any, ends: Int64s, nulls: Any) -> None:
    """Mix a column into each row's hash, eight bytes at a time, as SplitMix64 does."""
    for row in range(len(hashes)):
        state = hashes[row] + np.uint64(0x9E3779B97F4A7C15)
        if len(nulls) and nulls[row]:
            state ^= np.uint64(0x5851F42D4C957F2D)
        elif len(ends) == 0:
            state ^= np.uint64(words[row])
        else:
            at, end = ends[row], ends[row + 1]
            state ^= np.uint64(end - at) << np.uint64(56)
            while at + 8 <= end:
                word = np.uint64(0)
                for i in range(8):
                    word |= np.uint64(words[at + i]) << np.uint64(8 * i)
                state = (state ^ word) * np.uint64(0xBF58476D1CE4E5B9)
                state ^= state >> np.uint64(29)
                at += 8
            word = np.uint64(0)
            for i in range(end - at):
                word |= np.uint64(words[at + i]) << np.uint64(8 * i)
            state ^= word
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        hashes[row] = state ^ (state >> np.uint64(31))


@compiled
def _number(hashes: Hashes, ids: Int64s, first: Int64s, table: Int64s) -> int:
    """Number the distinct hashes in the order of their first rows, and give their count.

    `table` has a power of two of elements, all -1.
    """
    mask = np.uint64(len(table) - 1)
    groups = 0
    for row in range(len(hashes)):
        at = hashes[row] & mask
        while table[at] >= 0 and hashes[first[table[at]]] != hashes[row]:
            at = (at + np.uint64(1)) & mask
        if table[at] < 0:
            table[at] = groups
            first[groups] = row
            groups += 1
        ids[row] = table[at]
    return groups


@compiled
def _agree(ids: Int64s, first: Int64s, words: Any, ends: Int64s, nulls: Any) -> bool:
    """Whether each row has the value of its group's first row."""
    for row in range(len(ids)):
        other = first[ids[row]]
        if other == row:
            continue
        if len(nulls):
            if nulls[row] != nulls[other]:
                return False
            if nulls[row]:
                continue
        if len(ends) == 0:
            if words[row] != words[other]:
                return False
            continue
        size = ends[row + 1] - ends[row]
        if size != ends[other + 1] - ends[other]:
            return False
        for i in range(size):
            if words[ends[row] + i] != words[ends[other] + i]:
                return False
    return True


def _by_dictionaries(columns: list[Any]) -> tuple[Int64s, Int64s]:
    """The same, column by column: the oracle of `group_ids`."""
    ids, count = _codes(columns[0])
    for column in columns[1:]:
        codes, width = _codes(column)
        ids, count = _codes(ids * width + codes)
    first = np.empty(count, np.int64)
    rows = np.arange(len(ids), dtype=np.int64)
    first[ids[::-1]] = rows[::-1]
    return ids, first


def _codes(column: Any) -> tuple[Int64s, int]:
    array = column if isinstance(column, pa.Array) else pa.array(column)
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode(null_encoding="encode")
        return array.indices.to_numpy().astype(np.int64), len(array.dictionary)
    return _codes(array.dictionary_decode())


def hash_rows(columns: list[pa.Array]) -> Hashes:
    """A 64-bit hash of each row over `columns`, equal on every machine and run.

    Columns of one type give equal hashes for equal values. Null has a hash of its own.
    """
    total = np.zeros(len(columns[0]) if columns else 0, np.uint64)
    for column in columns:
        encoded = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        encoded = encoded.dictionary_encode(null_encoding="encode")
        hashes = _hash_values(encoded.dictionary)
        total = _mix(total * np.uint64(0x9E3779B97F4A7C15) + hashes[encoded.indices.to_numpy()])
    return total


def shards(columns: list[pa.Array], count: int) -> Int64s:
    """The shard of each row, from 0 to count - 1."""
    return (hash_rows(columns) % np.uint64(count)).astype(np.int64)


def _hash_values(values: pa.Array) -> Hashes:
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        ints = values.cast(pa.int64()) if not pa.types.is_temporal(kind) else _temporal(values)
        hashes = _mix(ints.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64))
    elif pa.types.is_floating(kind):
        hashes = _mix(_float_words(values))
    else:
        raw = values.cast(pa.large_binary()).fill_null(b"")
        _, offsets, data = raw.buffers()
        ends = np.frombuffer(offsets, np.int64)[raw.offset : raw.offset + len(raw) + 1]
        octets = (
            np.frombuffer(data, np.uint8)
            if data is not None and data.size
            else np.zeros(1, np.uint8)
        )
        hashes = _mix(_hash_bytes(ends, octets))
    nulls = values.is_null().to_numpy(zero_copy_only=False)
    return np.where(nulls, np.uint64(0x5851F42D4C957F2D), hashes)


def _float_words(column: pa.Array) -> Hashes:
    """The bits of numbers, the same for -0.0 and 0.0, and for every bit pattern of NaN."""
    floats = column.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    words: Hashes = (np.where(np.isnan(floats), np.nan, floats) + 0.0).view(np.uint64)
    return words


def _temporal(values: pa.Array) -> pa.Array:
    wide = values.cast(pa.timestamp("us", tz=getattr(values.type, "tz", None)))
    return wide.view(pa.int64())


def _mix(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64.

    Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014.
    """
    z = values + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _hash_bytes(ends: Int64s, octets: Any) -> Hashes:
    """FNV-1a, 64 bit, of each value (Fowler, Noll, Vo)."""
    hashes = np.empty(len(ends) - 1, np.uint64)
    for row in range(len(ends) - 1):
        value = np.uint64(14695981039346656037)
        for at in range(ends[row], ends[row + 1]):
            value = (value ^ np.uint64(octets[at])) * np.uint64(1099511628211)
        hashes[row] = value
    return hashes
