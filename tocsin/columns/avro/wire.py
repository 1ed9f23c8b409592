"""How a message says which schema wrote it: Confluent framing, Avro single-object encoding, or not at all.

| format | first bytes | schema key |
|---|---|---|
| Confluent, id | 00, 4-byte big-endian id | `id:7` |
| Confluent, GUID | 01, 16 bytes | `guid:89791762-…` (also in the header `__value_schema_id`) |
| single object | C3 01, 8-byte little-endian CRC-64-AVRO | `fingerprint:…` |
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from typing import Any

import fastavro

GUID_HEADER = "__value_schema_id"


def frame(schema_id: int, datum: bytes) -> bytes:
    """A datum in Confluent framing by id."""
    return struct.pack(">bI", 0, schema_id) + datum


def fingerprint_key(schema: Any) -> str:
    """The schema key of single-object encoding: CRC-64-AVRO of the parsing canonical form."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return f"fingerprint:{fastavro.schema.fingerprint(canonical, 'CRC-64-AVRO')}"


@dataclass(frozen=True)
class Framed:
    """Datums of one schema key, with their positions in the list of messages."""

    key: str
    positions: list[int]
    datums: list[bytes]


@dataclass(frozen=True)
class Unframed:
    """Messages by schema key, and those without a readable frame: (position, reason)."""

    groups: list[Framed]
    faults: list[tuple[int, str]]


def unframe(values: list[bytes | None], guids: list[bytes | None] | None = None) -> Unframed:
    """Sort messages by the schema that wrote them. A tombstone (None) is a fault.

    guids: the header `__value_schema_id` of each message (01 and 16 bytes), where any message has one: then its value is a
    bare datum.
    """
    if values and None not in values and guids is None:
        prefixes = {value[:5] for value in values if value is not None}
        if len(prefixes) == 1:
            prefix = prefixes.pop()
            if len(prefix) == 5 and prefix[0] == 0:
                key = f"id:{int.from_bytes(prefix[1:], 'big')}"
                datums = [value[5:] for value in values if value is not None]
                return Unframed([Framed(key, list(range(len(values))), datums)], [])
    groups: dict[str, Framed] = {}
    faults: list[tuple[int, str]] = []
    for position, value in enumerate(values):
        guid = guids[position] if guids is not None else None
        if guid is not None and value is not None and len(guid) == 17 and guid[0] == 1:
            key, start = f"guid:{uuid.UUID(bytes=guid[1:])}", 0
        else:
            key, start = _key(value)
        if value is None or start < 0:
            faults.append((position, key))
            continue
        group = groups.setdefault(key, Framed(key, [], []))
        group.positions.append(position)
        group.datums.append(value[start:])
    return Unframed(list(groups.values()), faults)


def _key(value: bytes | None) -> tuple[str, int]:
    """Schema key and start of the datum; a reason and -1 where there is none."""
    if value is None:
        return "the message has no value (a tombstone)", -1
    if value[:1] == b"\x00" and len(value) >= 5:
        return f"id:{int.from_bytes(value[1:5], 'big')}", 5
    if value[:1] == b"\x01" and len(value) >= 17:
        return f"guid:{uuid.UUID(bytes=value[1:17])}", 17
    if value[:2] == b"\xc3\x01" and len(value) >= 10:
        return f"fingerprint:{value[2:10].hex()}", 10
    seen = value[:5].hex(" ") or "nothing"
    return f"not in Confluent or single-object framing: it starts with {seen}", -1
