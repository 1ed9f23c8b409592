"""A compiled loop that reads messages of any Avro schema strictly, without a Python object each."""

from __future__ import annotations

from typing import Any

import numpy as np

from tocsin.kernels.avro.byte_strings import ByteStrings, Octets
from tocsin.kernels.avro.entries import MOST_EMPTY_ITEMS, REASONS, Entries
from tocsin.kernels.avro.program import (
    ARRAY,
    BOOLEAN,
    BYTES,
    DOUBLE,
    ENUM,
    FIXED,
    FLOAT,
    INT,
    MAP,
    NULL,
    RECORD,
    STRING,
    UNION,
    Program,
)
from tocsin.kernels.avro.utf8 import is_utf_8
from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled, kernel

_AFTER_FAULT = 10


class Walker:
    """A reader of messages by a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._table, self._starts = program.table(), program.starts()
        # Items of each domain for each message, as of the last batch, with room.
        self._share = np.full(len(program.owners), 4.0)

    def read(self, values: ByteStrings) -> Entries:
        """The entries of the readable messages, and the faults of the others."""
        return self._read(values, values.starts, is_chain=False)

    def split(self, block: bytes, count: int) -> tuple[ByteStrings, list[tuple[int, str]]]:
        """The messages of a block, in which each begins where the one before it ends.

        Returns:
            The messages up to the first faulty one, which lasts to the end of the block, and the
            faults (position, reason) of that one and of all after it.
        """
        data = np.frombuffer(block or b"\0", np.uint8)
        starts, ends = np.zeros(count, np.int64), np.full(count, len(block), np.int64)
        faults = self._read(ByteStrings(data, starts, ends), starts, is_chain=True).faults
        known = min(count, faults[0][0] + 1) if faults else count
        ends[: known - 1] = starts[1:known]
        return ByteStrings(data, starts[:known], ends[:known]), faults

    def _read(self, values: ByteStrings, starts: Int64s, is_chain: bool) -> Entries:
        count = len(values)
        domains = len(self.program.owners)
        capacity = (count * self._share).astype(np.int64) + 64
        capacity[0] = count
        while True:
            base = np.cumsum([0, *(capacity[node.domain] for node in self.program.nodes)])
            amount = int(base[-1])
            slots, sizes = np.empty(amount, np.int64), np.empty(amount, np.int64)
            missing = np.empty(amount, np.bool_)
            faults, places = np.zeros(count, np.int64), np.zeros(count, np.int64)
            fill = np.zeros(len(self.program.nodes) + domains, np.int64)
            stack = np.zeros((self.program.depth + 1, 5), np.int64)
            full = int(
                _walk(
                    values.data,
                    starts,
                    values.ends,
                    is_chain,
                    self._table,
                    self._starts,
                    capacity,
                    base,
                    fill,
                    fill.copy(),
                    slots,
                    sizes,
                    missing,
                    faults,
                    places,
                    stack,
                )
            )
            if full < 0:
                break
            capacity[full] *= 4
        if count:
            self._share = np.minimum(fill[-domains:] * 1.25 / count, 10_000.0)
        return self._entries(values, base, fill, slots, sizes, missing, faults, places)

    def _entries(
        self,
        values: ByteStrings,
        base: Int64s,
        fill: Int64s,
        slots: Int64s,
        sizes: Int64s,
        missing: Any,
        faults: Int64s,
        places: Int64s,
    ) -> Entries:
        ops = {
            node.op: slice(base[node.op], base[node.op] + fill[node.op])
            for node in self.program.nodes
            if node.code not in (NULL, RECORD)
        }
        bad = np.flatnonzero(faults)
        return Entries(
            values.data,
            self.program,
            np.flatnonzero(faults == 0),
            {op: slots[at] for op, at in ops.items()},
            {op: sizes[at] for op, at in ops.items()},
            {op: missing[at] for op, at in ops.items()},
            [
                (at, REASONS[fault].format(self.program.nodes[place].name))
                for at, fault, place in zip(
                    bad.tolist(), faults[bad].tolist(), places[bad].tolist(), strict=True
                )
            ],
        )


# Positions in the bytes are unsigned: Numba checks a signed one for counting from the end.
@kernel
def _varint(data: Octets, at: Any, end: Any) -> tuple[Any, Any, int]:
    """A zigzag number of up to 64 bits, the position after it, and a fault number."""
    if at < end and data[at] < 128:
        byte = np.int64(data[at])
        return (byte >> 1) ^ -(byte & 1), at + np.uint64(1), 0
    number, shift, byte, fault = np.uint64(0), 0, np.int64(128), 0
    while byte >= 128 and fault == 0:
        if at >= end:
            fault = 1
        elif shift > 63:
            fault = 3
        else:
            byte = np.int64(data[at])
            if shift == 63 and byte > 1:
                fault = 3
            number |= np.uint64(byte & 127) << np.uint64(shift)
            shift += 7
            at += np.uint64(1)
    return np.int64(number >> np.uint64(1)) ^ -np.int64(number & np.uint64(1)), at, fault


@kernel
def _block(data: Octets, at: Any, end: Any) -> tuple[Any, Any, int]:
    """The item count of an array's next block, the position after it, and a fault number."""
    items, at, fault = _varint(data, at, end)
    if fault == 0 and items < 0:
        items = -items
        size, at, fault = _varint(data, at, end)
        if fault == 0 and (items < 0 or size < 0):
            fault = 6
    return items, at, fault


@kernel
def _skip(
    begin: int,
    end: int,
    table: Int64s,
    base: Int64s,
    fill: Int64s,
    slots: Int64s,
    sizes: Int64s,
    missing: Any,
) -> None:
    """Write a missing entry for each operation of a branch that was not written."""
    op = begin
    while op < end:
        code = table[op, 0]
        if code not in (NULL, RECORD):
            to = base[op] + fill[op]
            slots[to] = -1 if code == UNION else 0
            if STRING <= code <= FIXED:
                sizes[to] = 0
            missing[to] = True
            fill[op] += 1
        op = table[op, 2] if code in (ARRAY, MAP) else op + 1


@compiled
def _walk(  # noqa: PLR0915 - one loop: calls per operation would dominate its time
    data: Octets,
    starts: Int64s,
    ends: Int64s,
    is_chain: bool,
    table: Int64s,
    branches: Int64s,
    capacity: Int64s,
    base: Int64s,
    fill: Int64s,
    saved: Int64s,
    slots: Int64s,
    sizes: Int64s,
    missing: Any,
    faults: Int64s,
    places: Int64s,
    stack: Int64s,
) -> int:
    """Read all messages. Returns a domain whose capacity was too small, or -1.

    fill holds the number of entries of each operation, then the items of each domain. The stack
    holds, for each open union, array or map: operation, end of its part, items left in the block,
    all items, and the position of the current item.
    """
    ops = len(table)
    for row in range(len(starts)):
        saved[:] = fill
        at, end = np.uint64(starts[row]), np.uint64(ends[row])
        op, depth, fault, bad_text, empty = 0, 0, 0, -1, 0
        place = 0
        while fault == 0:
            # Close every union, array and map whose part has ended.
            while depth > 0 and op == stack[depth - 1, 1] and fault == 0:
                top = depth - 1
                opened = stack[top, 0]
                if table[opened, 0] == UNION:
                    op = table[opened, 2]
                    depth -= 1
                    # The branch may end before its union does.
                    continue
                place = opened
                if stack[top, 4] >= 0:
                    if np.int64(at) == stack[top, 4]:
                        empty += 1
                        if empty > MOST_EMPTY_ITEMS:
                            fault = 9
                            break
                    stack[top, 2] -= 1
                if stack[top, 2] == 0:
                    items, at, fault = _block(data, at, end)
                    if fault:
                        break
                    stack[top, 2] = items
                    if items == 0:
                        to = base[opened] + fill[opened]
                        slots[to] = stack[top, 3]
                        missing[to] = False
                        fill[opened] += 1
                        depth -= 1
                        continue
                inside = table[opened, 1]
                fill[ops + inside] += 1
                if fill[ops + inside] > capacity[inside]:
                    return int(inside)
                stack[top, 3] += 1
                stack[top, 4] = np.int64(at)
                op = opened + 1
            if fault or op == ops:
                break
            place = op
            code, limit = table[op, 0], table[op, 1]
            if code in (NULL, RECORD):
                op += 1
                continue
            if code in (ARRAY, MAP):
                # As if an item had just ended: the loop above reads the first block.
                stack[depth, 0], stack[depth, 1], stack[depth, 2] = op, table[op, 2], 0
                stack[depth, 3], stack[depth, 4] = 0, -1
                depth += 1
                op = table[op, 2]
                continue
            to = base[op] + fill[op]
            value: Any = np.int64(0)
            size: Any = np.int64(0)
            if code == UNION:
                if at >= end:
                    fault = 1
                elif data[at] & 1 or data[at] >> 1 >= min(limit, 64):
                    fault = 2
                else:
                    value = np.int64(data[at] >> 1)
                    at += np.uint64(1)
            elif code in (FLOAT, DOUBLE):
                width = np.uint64(4 if code == FLOAT else 8)
                if at + width > end:
                    fault = 1
                else:
                    bits = np.uint64(0)
                    for i in range(width):
                        bits |= np.uint64(data[at + np.uint64(i)]) << np.uint64(8 * i)
                    value = np.int64(bits)
                    at += width
            elif code == BOOLEAN:
                if at >= end:
                    fault = 1
                elif data[at] > 1:
                    fault = 8
                else:
                    value = np.int64(data[at])
                    at += np.uint64(1)
            elif code == FIXED:
                if np.uint64(limit) > end - at:
                    fault = 1
                else:
                    value, size = np.int64(at), limit
                    at += np.uint64(limit)
            else:
                value, at, fault = _varint(data, at, end)
                if fault == 0 and code in (STRING, BYTES):
                    size = value
                    value = np.int64(at)
                    if size < 0:
                        fault = 6
                    elif np.uint64(size) > end - at:
                        fault = 1
                    else:
                        at += np.uint64(size)
                        if (
                            code == STRING
                            and bad_text < 0
                            and not is_utf_8(data, value, value + size)
                        ):
                            bad_text = op
                elif fault == 0 and code in (INT, ENUM):
                    if value > 2147483647 or value < -2147483648:
                        fault = 4
                    elif code == ENUM and (value < 0 or value >= limit):
                        fault = 5
            if fault:
                break
            slots[to], missing[to] = value, False
            if STRING <= code <= FIXED:
                sizes[to] = size
            fill[op] += 1
            if code == UNION and table[op, 5] >= 0:
                # Null and one type: the type's operations follow, and the null's does nothing.
                if value == table[op, 5]:
                    _skip(op + 1, table[op, 2], table, base, fill, slots, sizes, missing)
                    op = table[op, 2]
                else:
                    op += 1
            elif code == UNION:
                begin = branches[table[op, 4] + value]
                stop = table[begin, 2]
                _skip(op + 1, begin, table, base, fill, slots, sizes, missing)
                _skip(stop, table[op, 2], table, base, fill, slots, sizes, missing)
                stack[depth, 0], stack[depth, 1] = op, stop
                depth += 1
                op = begin
            else:
                op += 1
        if fault == 0 and bad_text >= 0:
            fault, place = 7, bad_text
        if fault:
            faults[row], places[row] = fault, place
            fill[:] = saved
        if is_chain and row + 1 < len(starts):
            if fault:
                faults[row + 1 :], places[row + 1 :] = _AFTER_FAULT, place
                break
            starts[row + 1] = np.int64(at)
    return -1
