"""Wire formats that name a message's writer schema: Confluent framing and single-object encoding.

| format | first bytes | schema key |
|---|---|---|
| Confluent, id | 00, 4-byte big-endian id | `id:7` |
| Confluent, GUID | 01, 16 bytes | `guid:89791762-…` (also in the header `__value_schema_id`) |
| single object | C3 01, 8-byte little-endian CRC-64-AVRO | `fingerprint:…` |

Source: Confluent wire format; Apache Avro specification, Single-object encoding.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa

from tocsin.kernels.avro.byte_strings import ByteStrings, Octets
from tocsin.kernels.batch import Int64s

GUID_HEADER = "__value_schema_id"
GUID_SIZE = 17
_ID, _FINGERPRINT = 5, 10


def frame(schema_id: int, value: bytes) -> bytes:
    """An Avro value in Confluent framing by id."""
    return struct.pack(">bI", 0, schema_id) + value


def fingerprint_key(schema: Any) -> str:
    """A schema's key in single-object encoding: CRC-64-AVRO of its parsing canonical form."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return f"fingerprint:{fastavro.schema.fingerprint(canonical, 'CRC-64-AVRO')}"


@dataclass(frozen=True)
class Framed:
    """Avro values of one schema key, with their positions in the input."""

    key: str
    positions: Int64s
    values: ByteStrings


@dataclass(frozen=True)
class Unframed:
    """Messages grouped by schema key, and (position, reason) of those without a readable frame."""

    groups: list[Framed]
    faults: list[tuple[int, str]]


def tombstones(values: pa.LargeBinaryArray) -> list[tuple[int, str]]:
    """A fault (position, reason) for each null, which is a message without a value."""
    if not values.null_count:
        return []
    rows = np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))
    return [(row, "the message has no value (a tombstone)") for row in rows.tolist()]


def unframe(values: pa.LargeBinaryArray, guids: Octets | None = None) -> Unframed:
    """Messages grouped by the schema that wrote them. A tombstone (null) is a fault.

    Args:
        values: the messages.
        guids: uint8 of shape (messages, 18), or None if no message has the header. A row holds the
            header `__value_schema_id` (01 and 16 bytes) and a 1 if the message has that header.
            Such a message has no frame.
    """
    byte_strings = ByteStrings.of_array(values)
    sizes = byte_strings.ends - byte_strings.starts
    heads = byte_strings.heads(GUID_SIZE)
    present = values.is_valid().to_numpy(zero_copy_only=False)
    keyed = (
        np.zeros(len(sizes), np.bool_)
        if guids is None
        else (guids[:, -1] == 1) & (guids[:, 0] == 1) & present
    )
    kinds = np.select(
        [
            ~present,
            keyed,
            (heads[:, 0] == 0) & (sizes >= _ID),
            (heads[:, 0] == 1) & (sizes >= GUID_SIZE),
            (heads[:, 0] == 0xC3) & (heads[:, 1] == 1) & (sizes >= _FINGERPRINT),
        ],
        [0, 1, 2, 3, 4],
        5,
    )
    groups: list[Framed] = []
    for kind, width, head in (
        (1, GUID_SIZE, 0),
        (2, _ID, _ID),
        (3, GUID_SIZE, GUID_SIZE),
        (4, _FINGERPRINT, _FINGERPRINT),
    ):
        rows = np.flatnonzero(kinds == kind)
        if len(rows):
            marks = (guids if kind == 1 and guids is not None else heads)[rows, :width]
            groups += [
                Framed(_key(mark), rows[at], byte_strings.take(rows[at]).without_head(head))
                for mark, at in _by_mark(marks)
            ]
    faults = tombstones(values)
    for row in np.flatnonzero(kinds == 5).tolist():
        seen = heads[row, : min(int(sizes[row]), _ID)].tobytes().hex(" ") or "nothing"
        faults.append((row, f"not in Confluent or single-object framing: it starts with {seen}"))
    return Unframed(_in_order(groups), sorted(faults))


def _by_mark(marks: Octets) -> list[tuple[bytes, Int64s]]:
    """The rows of each distinct mark."""
    if (marks == marks[0]).all():
        return [(marks[0].tobytes(), np.arange(len(marks)))]
    distinct, owners = np.unique(
        np.ascontiguousarray(marks).view(f"V{marks.shape[1]}").ravel(), return_inverse=True
    )
    return [(mark.tobytes(), np.flatnonzero(owners == at)) for at, mark in enumerate(distinct)]


def _in_order(groups: list[Framed]) -> list[Framed]:
    """One group for each key, in order of first appearance. Headers and frames may share a key."""
    keys = {group.key for group in groups}
    if len(keys) < len(groups):
        groups = [_joined([group for group in groups if group.key == key]) for key in sorted(keys)]
    return sorted(groups, key=lambda group: int(group.positions[0]))


def _joined(groups: list[Framed]) -> Framed:
    positions = np.concatenate([group.positions for group in groups])
    order = np.argsort(positions)
    starts = np.concatenate([group.values.starts for group in groups])[order]
    ends = np.concatenate([group.values.ends for group in groups])[order]
    return Framed(groups[0].key, positions[order], ByteStrings(groups[0].values.data, starts, ends))


def _key(mark: bytes) -> str:
    """The schema key of the mark at the start of a frame."""
    if len(mark) == _ID:
        return f"id:{int.from_bytes(mark[1:], 'big')}"
    return (
        f"guid:{uuid.UUID(bytes=mark[1:])}"
        if len(mark) == GUID_SIZE
        else f"fingerprint:{mark[2:].hex()}"
    )
