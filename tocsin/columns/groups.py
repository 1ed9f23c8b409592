"""Rows to groups: dense group numbers over several key columns, and a hash that is the same on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.columns.compiled import compiled
from tocsin.columns.contract import Int64s

Hashes = npt.NDArray[np.uint64]


def group_ids(columns: list[Any]) -> tuple[Int64s, Int64s]:
    """Group numbers in order of first appearance, and the first row of each group.

    columns: Arrow arrays or int64 NumPy arrays of one length; null is a key of its own, NaN equals NaN.
    """
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
    """A 64-bit hash of each row over `columns`; equal values of one type hash alike on every machine and run."""
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
        floats = values.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0
        hashes = _mix(floats.view(np.uint64))
    else:
        raw = values.cast(pa.large_binary()).fill_null(b"")
        _, offsets, data = raw.buffers()
        ends = np.frombuffer(offsets, np.int64)[raw.offset : raw.offset + len(raw) + 1]
        octets = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
        hashes = _mix(_hash_bytes(ends, octets))
    nulls = values.is_null().to_numpy(zero_copy_only=False)
    return np.where(nulls, np.uint64(0x5851F42D4C957F2D), hashes)


def _temporal(values: pa.Array) -> pa.Array:
    wide = values.cast(pa.timestamp("us", tz=getattr(values.type, "tz", None)))
    return wide.view(pa.int64())


def _mix(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014)."""
    z = values + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _hash_bytes(ends, octets):  # type: ignore[no-untyped-def]
    """FNV-1a, 64 bit, of each value (Fowler, Noll, Vo)."""
    hashes = np.empty(len(ends) - 1, np.uint64)
    for row in range(len(ends) - 1):
        value = np.uint64(14695981039346656037)
        for at in range(ends[row], ends[row + 1]):
            value = (value ^ np.uint64(octets[at])) * np.uint64(1099511628211)
        hashes[row] = value
    return hashes
