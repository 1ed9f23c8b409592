"""A compiled loop that reads records with primitive fields, and reports each faulty value.

This is the fast path of most telemetry: numbers, strings, enums and their unions with null, also in
nested records. It gives the same entries and faults as `walk`, which reads any schema.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tocsin.kernels.avro import program as codes
from tocsin.kernels.avro.byte_strings import ByteStrings, Octets
from tocsin.kernels.avro.entries import REASONS, Entries
from tocsin.kernels.avro.program import Node, Program
from tocsin.kernels.avro.utf8 import is_utf_8
from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled

_BOOLEAN, _INT, _LONG, _FLOAT, _DOUBLE, _STRING, _ENUM = range(7)
_KINDS = {
    codes.BOOLEAN: _BOOLEAN,
    codes.INT: _INT,
    codes.LONG: _LONG,
    codes.FLOAT: _FLOAT,
    codes.DOUBLE: _DOUBLE,
    codes.STRING: _STRING,
    codes.ENUM: _ENUM,
}


class Records:
    """A reader of messages of plain fields.

    Args:
        program: the operations of the schema.
        fields: the operation of each field, and the branch of its union that is null, or -1.
    """

    def __init__(self, program: Program, fields: list[tuple[Node, int]]) -> None:
        self.program = program
        self._fields = [node for node, _ in fields]
        self._kinds = np.array([_KINDS[node.code] for node, _ in fields], np.int64)
        self._nulls = np.array([null for _, null in fields], np.int64)
        self._limits = np.array(
            [len(node.kind["symbols"]) if node.code == codes.ENUM else 0 for node, _ in fields],
            np.int64,
        )

    @classmethod
    def of(cls, program: Program) -> Records | None:
        """The reader of a program, or None if a field has another type."""
        fields = _plain_fields(program.root)
        return cls(program, fields) if fields is not None else None

    def read(self, values: ByteStrings) -> Entries:
        """The entries of the readable messages, and the faults of the others."""
        shape = (len(self._fields), len(values))
        slots, sizes = np.empty(shape, np.int64), np.zeros(shape, np.int64)
        missing = np.zeros(shape, np.bool_)
        faults, places = np.zeros(len(values), np.int64), np.zeros(len(values), np.int64)
        beyond_ascii = np.zeros(len(self._fields), np.bool_)
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
        bad, good = np.flatnonzero(faults), np.flatnonzero(faults == 0)
        if len(bad):
            slots, sizes, missing = slots[:, good], sizes[:, good], missing[:, good]
        ops = [node.op for node in self._fields]
        return Entries(
            values.data,
            self.program,
            good,
            dict(zip(ops, slots, strict=True)),
            dict(zip(ops, sizes, strict=True)),
            dict(zip(ops, missing, strict=True)),
            [(at, self._reason(faults[at], places[at])) for at in bad.tolist()],
        )

    def _reason(self, fault: int, place: int) -> str:
        return REASONS[fault].format(self._fields[place].name)


def _plain_fields(record: Node) -> list[tuple[Node, int]] | None:
    """The fields of a record and of those in it, or None if one is not plain."""
    found: list[tuple[Node, int]] = []
    for part in record.parts:
        if part.code == codes.RECORD:
            inner = _plain_fields(part)
            if inner is None:
                return None
            found += inner
            continue
        null, node = -1, part
        if part.code == codes.UNION:
            nulls = [at for at, one in enumerate(part.parts) if one.code == codes.NULL]
            if len(part.parts) != 2 or len(nulls) != 1:
                return None
            null, node = nulls[0], part.parts[1 - nulls[0]]
        if node.code not in _KINDS:
            return None
        found.append((node, null))
    return found


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
    """Mark texts of the field `place` that are not UTF-8 as faults."""
    for row in range(len(starts)):
        if faults[row] or missing[row]:
            continue
        if not is_utf_8(data, starts[row], starts[row] + sizes[row]):
            faults[row], places[row] = 7, place
