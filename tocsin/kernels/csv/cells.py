"""A compiled loop that finds the cells of CSV records.

Source: RFC 4180, with any delimiter of one byte. A quote in a cell that does not begin with one is
a part of the text. A record whose quotes cannot be read ends with its first line, so it takes no
other record with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tocsin.kernels.avro.byte_strings import Octets
from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import compiled, kernel

_QUOTE, _NEWLINE, _RETURN = 34, 10, 13
_PLAIN, _QUOTED, _DOUBLED = 0, 1, 2
_UNCLOSED, _AFTER_QUOTE = 1, 2
SMALL = 1 << 17
"""The most bytes that are read without compiled code."""
FAULTS = ("", "a quote is opened and not closed", "a character follows the quote that ends a cell")


@dataclass(frozen=True)
class Records:
    """Records of a block, blank lines left out.

    Attributes:
        data: the bytes.
        starts: the first byte of each record.
        ends: the byte after each record, without its line end.
        lines: the line on which each record begins, counted from the first line of the block.
        first_cells: the index of each record's first cell.
        counts: the number of cells of each record; 0 for a faulty one.
        faults: index into FAULTS of each record.
        cell_starts: the first byte of each cell's text.
        cell_sizes: the bytes of each cell's text.
        quoting: for each cell, 0 without quotes, 1 with quotes, 2 with doubled quotes inside.
        end: the byte after the last record.
        line: the number of lines up to there.
    """

    data: Octets
    starts: Int64s
    ends: Int64s
    lines: Int64s
    first_cells: Int64s
    counts: Int64s
    faults: Int64s
    cell_starts: Int64s
    cell_sizes: Int64s
    quoting: Any
    end: int
    line: int

    def __len__(self) -> int:
        return len(self.starts)


def records(data: Octets, at: int, delimiter: int, most: int, is_last: bool) -> Records:
    """The whole records of a block from a position, at most `most`.

    Args:
        data: the bytes, uint8.
        at: where the first record begins.
        delimiter: the byte between cells.
        most: the most records.
        is_last: whether the file ends with this block. Otherwise a record whose end may be in the
            next block is left out.
    """
    rest = data[at:]
    lines = int(np.count_nonzero(rest == _NEWLINE)) + 1
    cells = int(np.count_nonzero(rest == delimiter)) + lines
    of_records = np.zeros((6, min(lines, most)), np.int64)
    of_cells = np.zeros((2, cells), np.int64)
    quoting = np.zeros(cells, np.uint8)
    reached = np.zeros(3, np.int64)
    # Numba takes a second to load, which is longer than a small table takes without it.
    scan = _scan.plain if len(data) <= SMALL else _scan
    scan(data, at, delimiter, is_last, of_records, of_cells, quoting, reached)
    end, count, used = (int(number) for number in reached)
    line = int(np.count_nonzero(data[at:end] == _NEWLINE))
    if at < end == len(data) and data[-1] != _NEWLINE:
        line += 1
    starts, ends, begun, first_cells, counts, faults = of_records[:, :count]
    return Records(
        data,
        starts,
        ends,
        begun,
        first_cells,
        counts,
        faults,
        of_cells[0, :used],
        of_cells[1, :used],
        quoting[:used],
        end,
        line,
    )


@kernel
def _quoted(data: Octets, at: int) -> tuple[int, int, int]:
    """The closing quote of a cell from behind its first quote, or the end of the bytes.

    Returns the position, whether quotes are doubled inside, and the number of lines that end
    inside.
    """
    kind, lines = _QUOTED, 0
    while at < len(data):
        if data[at] == _QUOTE:
            if at + 1 == len(data) or data[at + 1] != _QUOTE:
                break
            kind = _DOUBLED
            at += 1
        elif data[at] == _NEWLINE:
            lines += 1
        at += 1
    return at, kind, lines


@kernel
def _unquoted(data: Octets, at: int, delimiter: int) -> tuple[int, int]:
    """The position after a cell without quotes, and the end of its text."""
    begin = at
    while at < len(data) and data[at] != delimiter and data[at] != _NEWLINE:
        at += 1
    is_end = at == len(data) or data[at] == _NEWLINE
    return at, at - 1 if is_end and at > begin and data[at - 1] == _RETURN else at


@kernel
def _record(
    data: Octets, at: int, delimiter: int, of_cells: Int64s, quoting: Any, used: int
) -> tuple[int, int, int, int, int]:
    """Read one record.

    Returns the position after it, the end of its text, the number of lines that end inside a cell,
    the number of cells used so far, and the fault. A record that the end of the bytes cuts ends
    there without a newline.
    """
    length, lines = len(data), 0
    while True:
        if at < length and data[at] == _QUOTE:
            begin = at + 1
            stop, kind, inside = _quoted(data, begin)
            lines += inside
            if stop == length:
                return stop, stop, lines, used, _UNCLOSED
            at = end = stop + 1
            if at < length and data[at] == _RETURN:
                at += 1
            if at < length and data[at] != delimiter and data[at] != _NEWLINE:
                return at, at, lines, used, _AFTER_QUOTE
        else:
            begin, kind = at, _PLAIN
            at, stop = _unquoted(data, at, delimiter)
            end = stop
        of_cells[0, used], of_cells[1, used], quoting[used] = begin, stop - begin, kind
        used += 1
        if at == length or data[at] == _NEWLINE:
            return at, end, lines, used, 0
        at += 1


@kernel
def _line_end(data: Octets, at: int) -> int:
    """The position of the next newline, or the end of the bytes."""
    while at < len(data) and data[at] != _NEWLINE:
        at += 1
    return at


@compiled
def _scan(
    data: Octets,
    at: int,
    delimiter: int,
    is_last: bool,
    of_records: Int64s,
    of_cells: Int64s,
    quoting: Any,
    reached: Int64s,
) -> None:
    """Fill the arrays of `Records`. `reached` gets the end, and the counts of both."""
    line, count, used = 0, 0, 0
    while at < len(data) and count < of_records.shape[1]:
        stop, end, inside, cells, fault = _record(data, at, delimiter, of_cells, quoting, used)
        if fault == _UNCLOSED and not is_last:
            break
        if fault != 0:
            stop = end = _line_end(data, at)
            cells, inside = used, 0
        if stop == len(data) and not is_last:
            break
        is_blank = cells == used + 1 and end == at
        if not is_blank:
            of_records[0, count], of_records[1, count], of_records[2, count] = at, end, line
            of_records[3, count], of_records[4, count] = used, cells - used
            of_records[5, count] = fault
            count, used = count + 1, cells
        at = min(stop + 1, len(data))
        line += inside + 1
    reached[0], reached[1], reached[2] = at, count, used
