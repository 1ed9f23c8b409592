"""A compiled decoder of Avro records with primitive fields, which reports each faulty value.

This is the fast path of most telemetry: numbers, strings, enums and their unions with null, also in
nested records. It reads bytes in place, so no message becomes a Python object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.avro.byte_strings import ByteStrings, Octets
from tocsin.kernels.avro.resolve import typed
from tocsin.kernels.avro.types import Leaf, kind_at, leaves, without_null
from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled

_BOOLEAN, _INT, _LONG, _FLOAT, _DOUBLE, _STRING, _ENUM = range(7)
_KINDS = {
    "boolean": _BOOLEAN,
    "int": _INT,
    "long": _LONG,
    "float": _FLOAT,
    "double": _DOUBLE,
    "string": _STRING,
}
_RAW = {
    _BOOLEAN: pa.bool_(),
    _INT: pa.int32(),
    _LONG: pa.int64(),
    _FLOAT: pa.float32(),
    _DOUBLE: pa.float64(),
}

# The sentence of each fault number of the loop, with the field's name.
_REASONS = (
    "",
    "it ends within '{}'",
    "no such branch of the union in '{}'",
    "the number in '{}' is too long",
    "'{}' is no 32-bit number",
    "'{}' has no symbol of that number",
    "'{}' has a negative length",
    "'{}' is not UTF-8",
    "'{}' is neither true nor false",
)


@dataclass(frozen=True)
class _Field:
    leaf: Leaf
    kind: int
    # The branch of the union that is null, or -1 where there is no union.
    null: int
    symbols: tuple[str, ...]
    written: Any


class Records:
    """A decoder of a record schema's values."""

    def __init__(self, fields: list[_Field]) -> None:
        self.fields = fields
        self._kinds = np.array([field.kind for field in fields], np.int64)
        self._nulls = np.array([field.null for field in fields], np.int64)
        self._limits = np.array([len(field.symbols) for field in fields], np.int64)

    @classmethod
    def of(cls, record: Any) -> Records | None:
        """The decoder of a parsed schema, or None if a field has another type."""
        if not _is_plain(record):
            return None
        fields = []
        for leaf in leaves(record):
            kind = kind_at(record, leaf.path)
            union = _union_at(record, leaf.path)
            plain = kind["type"] if isinstance(kind, dict) else kind
            symbols = tuple(kind["symbols"]) if plain == "enum" else ()
            null = union.index("null") if union is not None else -1
            fields.append(
                _Field(leaf, _ENUM if plain == "enum" else _KINDS[plain], null, symbols, kind)
            )
        return cls(fields)

    def decode(self, values: ByteStrings) -> tuple[pa.RecordBatch, Int64s, list[tuple[int, str]]]:
        """The columns of the readable values, their positions, and the faults of the others.

        A fault is (position, reason).
        """
        count = len(values)
        slots, sizes = (
            np.empty((len(self.fields), count), np.int64),
            np.zeros((len(self.fields), count), np.int64),
        )
        missing = np.zeros((len(self.fields), count), np.bool_)
        faults, places = np.zeros(count, np.int64), np.zeros(count, np.int64)
        beyond_ascii = np.zeros(len(self.fields), np.bool_)
        _read(
            values.data,
            values.starts,
            values.ends,
            self._kinds,
            self._nulls,
            self._limits,
            slots,
            sizes,
            missing,
            faults,
            places,
            beyond_ascii,
        )
        for place in np.flatnonzero(beyond_ascii).tolist():
            _check_texts(
                values.data, slots[place], sizes[place], missing[place], place, faults, places
            )
        bad = np.flatnonzero(faults)
        if len(bad):
            good = np.flatnonzero(faults == 0)
            batch, _, _ = self.decode(values.take(good))
            return batch, good, [(int(at), self._reason(faults[at], places[at])) for at in bad]
        columns = [
            self._column(at, values.data, slots, sizes, missing) for at in range(len(self.fields))
        ]
        names = [field.leaf.name for field in self.fields]
        return pa.RecordBatch.from_arrays(columns, names=names), np.arange(count), []

    def _reason(self, fault: int, place: int) -> str:
        return _REASONS[fault].format(self.fields[place].leaf.name)

    def _column(self, at: int, data: Octets, slots: Any, sizes: Any, missing: Any) -> Any:
        field = self.fields[at]
        mask = missing[at] if field.null >= 0 and missing[at].any() else None
        values = slots[at] if mask is None else np.where(mask, 0, slots[at])
        if field.kind == _STRING:
            column = _strings(data, values, sizes[at], mask)
        elif field.kind == _ENUM:
            column = pa.array(field.symbols).take(pa.array(values, mask=mask))
        elif field.kind == _DOUBLE:
            column = pa.array(values.view(np.float64), mask=mask)
        elif field.kind == _FLOAT:
            column = pa.array(values.astype(np.uint32).view(np.float32), mask=mask)
        elif field.kind == _BOOLEAN:
            column = pa.array(values.astype(np.bool_), mask=mask)
        else:
            column = pa.array(values, mask=mask).cast(_RAW[field.kind])
        return typed(column, field.written, field.leaf.type)


def _is_plain(record: Any) -> bool:
    for field in record["fields"]:
        kind = field["type"]
        if isinstance(kind, list):
            if len(kind) != 2 or "null" not in kind or kind == ["null", "null"]:
                return False
            kind, _ = without_null(kind)
            if isinstance(kind, dict) and kind["type"] == "record":
                return False
        if isinstance(kind, dict) and kind["type"] == "record":
            if not _is_plain(kind):
                return False
            continue
        plain = kind["type"] if isinstance(kind, dict) else kind
        if isinstance(kind, dict) and kind.get("logicalType", "date") not in _LOGICAL:
            return False
        if not isinstance(plain, str) or (plain != "enum" and plain not in _KINDS):
            return False
    return True


_LOGICAL = {"timestamp-millis", "timestamp-micros", "date"}


def _union_at(record: Any, path: tuple[str, ...]) -> list[Any] | None:
    for step in path:
        kind = next(field for field in record["fields"] if field["name"] == step)["type"]
        if isinstance(kind, list):
            return kind
        record = kind
    return None


def _strings(data: Octets, starts: Int64s, sizes: Int64s, mask: Any) -> Any:
    ends = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(sizes, out=ends[1:])
    gathered = np.empty(int(ends[-1]), np.uint8)
    _gather(data, starts, ends, gathered)
    valid = None if mask is None else pa.py_buffer(np.packbits(~mask, bitorder="little").tobytes())
    if ends[-1] < 2**31:
        buffers = [valid, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(gathered)]
        return pa.Array.from_buffers(pa.string(), len(starts), buffers)
    return pa.Array.from_buffers(
        pa.large_string(), len(starts), [valid, pa.py_buffer(ends), pa.py_buffer(gathered)]
    )


@compiled
def _gather(data: Octets, starts: Int64s, ends: Int64s, gathered: Octets) -> None:
    """Copy byte strings to `gathered` without gaps. `ends` holds 0 and the end of each copy."""
    for row in range(len(starts)):
        begin, source = ends[row], starts[row]
        for at in range(ends[row + 1] - begin):
            gathered[begin + at] = data[source + at]


# One loop: split into kernels, the decoder took 0.033 s and not 0.026 s for 200,000 records.
@compiled
def _read(  # noqa: PLR0915 - see above
    data: Octets,
    starts: Int64s,
    ends: Int64s,
    kinds: Int64s,
    nulls: Int64s,
    limits: Int64s,
    slots: Int64s,
    sizes: Int64s,
    missing: Any,
    faults: Int64s,
    places: Int64s,
    beyond_ascii: Any,
) -> None:
    """Read all fields of all values.

    slots gets each field's number, the bits of its float, or the position of its text, shape
    (fields, values); sizes the length of its text; missing whether it is null. faults and places
    get the fault number and the field of a faulty value.
    """
    for row in range(len(starts)):
        at, end, fault = starts[row], ends[row], 0
        for place in range(len(kinds)):
            if nulls[place] >= 0:
                if at >= end:
                    fault = 1
                elif data[at] != 0 and data[at] != 2:
                    fault = 2
                elif data[at] >> 1 == nulls[place]:
                    missing[place, row] = True
                    at += 1
                    continue
                at += 1
            kind = kinds[place]
            if fault == 0 and _FLOAT <= kind <= _DOUBLE:
                width = 4 if kind == _FLOAT else 8
                if at + width > end:
                    fault = 1
                else:
                    bits = np.uint64(0)
                    for i in range(width):
                        bits |= np.uint64(data[at + i]) << np.uint64(8 * i)
                    slots[place, row] = np.int64(bits)
                    at += width
            elif fault == 0 and kind == _BOOLEAN:
                if at >= end:
                    fault = 1
                elif data[at] > 1:
                    fault = 8
                else:
                    slots[place, row] = data[at]
                    at += 1
            elif fault == 0:
                number, shift, byte = np.uint64(0), 0, 128
                while byte >= 128 and fault == 0:
                    if at >= end:
                        fault = 1
                    elif shift > 63:
                        fault = 3
                    else:
                        byte = int(data[at])
                        if shift == 63 and byte > 1:
                            fault = 3
                        number |= np.uint64(byte & 127) << np.uint64(shift)
                        shift += 7
                        at += 1
                value = np.int64(number >> np.uint64(1)) ^ -np.int64(number & np.uint64(1))
                if fault == 0:
                    if kind not in (_LONG, _STRING) and (value > 2147483647 or value < -2147483648):
                        fault = 4
                    elif kind == _ENUM and (value < 0 or value >= limits[place]):
                        fault = 5
                    elif kind == _STRING:
                        if value < 0:
                            fault = 6
                        elif value > end - at:
                            fault = 1
                        else:
                            plain = np.uint8(0)
                            for i in range(value):
                                plain |= data[at + i]
                            if plain >= 128:
                                beyond_ascii[place] = True
                            slots[place, row] = at
                            sizes[place, row] = value
                            at += value
                    else:
                        slots[place, row] = value
            if fault:
                faults[row], places[row] = fault, place
                break


@compiled
def _check_texts(
    data: Octets,
    starts: Int64s,
    sizes: Int64s,
    missing: Any,
    place: int,
    faults: Int64s,
    places: Int64s,
) -> None:
    """Mark texts of the field `place` that are not UTF-8 (RFC 3629) as faults."""
    for row in range(len(starts)):
        if faults[row] or missing[row]:
            continue
        at, end = starts[row], starts[row] + sizes[row]
        while at < end:
            head = data[at]
            low, high, more = 128, 191, 0
            if head >= 128:
                if head >= 194 and head <= 223:
                    more = 1
                elif head >= 224 and head <= 239:
                    more = 2
                    low, high = (160 if head == 224 else 128), (159 if head == 237 else 191)
                elif head >= 240 and head <= 244:
                    more = 3
                    low, high = (144 if head == 240 else 128), (143 if head == 244 else 191)
                else:
                    faults[row] = 7
                    break
            if at + more >= end and more > 0:
                faults[row] = 7
                break
            for i in range(1, more + 1):
                if data[at + i] < low or data[at + i] > high:
                    faults[row] = 7
                low, high = 128, 191
            if faults[row]:
                break
            at += 1 + more
        if faults[row]:
            places[row] = place
