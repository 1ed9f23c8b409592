"""CSV files in the columns of a schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.foundation.faults import Fault
from tocsin.kernels.avro.avro_file import FilePiece, lost_piece
from tocsin.kernels.avro.columns import not_utf_8, texts
from tocsin.kernels.avro.json_values import scalar
from tocsin.kernels.avro.total import Decoded, total
from tocsin.kernels.avro.types import NO_DEFAULT, Leaf
from tocsin.kernels.batch import Int64s
from tocsin.kernels.csv.cells import Records, records
from tocsin.kernels.csv.values import column_of
from tocsin.parts.files.byte_blocks import DamagedFileError, blocks
from tocsin.parts.files.csv_header import DELIMITERS, Header, header_of, named

# The longest record. A quote that is not closed must not take the rest of a file with it.
LONGEST = 16 << 20


def header_for(path: str, leaves: list[Leaf], delimiter: str | None, needed: str) -> Header:
    """The header of a file that has the columns of a schema.

    Args:
        path: the file.
        leaves: the columns. One that the file lacks has a default, or may be null.
        delimiter: one character, or None to look for it.
        needed: a column that the file must have.

    Raises:
        Fault: with the file, the line, the column and the delimiter.
    """
    wanted = {name for leaf in leaves for name in (leaf.name, ".".join(leaf.path))}
    try:
        header = header_of(path, wanted, delimiter)
        other = header if delimiter is None else header_of(path, wanted)
    except ValueError as error:
        raise Fault(str(error), "files") from None
    for leaf in leaves:
        at = named(leaf, header.names)
        if at is not None and header.names.count(header.names[at]) > 1:
            raise Fault(f"{path}:1: the column '{header.names[at]}' is there twice", "files")
        if at is not None and pa.types.is_nested(leaf.type):
            raise Fault(f"{path}:1: '{leaf.name}' is {leaf.type}, which CSV cannot hold", "files")
        optional = leaf.nullable or leaf.default is not NO_DEFAULT
        if at is None and (not optional or leaf.name == needed):
            better = len(wanted & set(other.names)) > len(wanted & set(header.names))
            hint = f"; did you mean {DELIMITERS[other.delimiter]}?" if better else ""
            raise Fault(f"{path}:1: no column '{leaf.name}' {header.shown()}{hint}", "files")
    return header


def csv_file(path: str, header: Header, leaves: list[Leaf], rows: int) -> Iterator[FilePiece]:
    """The records after the header, in pieces of at most `rows` records.

    Positions are lines, from the one after the header. A record that cannot be read is a fault
    with its line and column, and so is the rest of a damaged compressed file.

    Raises:
        OSError: if the file cannot be opened, or the disk fails.
    """
    reader = _Reader(header, leaves)
    line, data, skip, damage = header.lines, b"", header.end, ""
    stream = blocks(path)
    is_last = False
    while not is_last:
        try:
            block = next(stream, b"")
        except DamagedFileError as error:
            block, damage = b"", str(error)
        data, is_last = data + block, not block
        if len(data) < skip and not is_last:
            continue
        octets = np.frombuffer(data or b"\0", np.uint8)[: len(data)]
        at, skip = min(skip, len(data)), 0
        while at < len(data):
            found = records(octets, at, ord(header.delimiter), rows, is_last)
            if found.end == at:
                if len(data) - at < LONGEST or b"\n" not in data[at:]:
                    break
                found = _first_line(octets, at, data.index(b"\n", at))
            yield reader.piece(found, line)
            at, line = found.end, line + found.line
        data = data[at:]
    if damage:
        yield lost_piece(reader.schema, damage)


def _first_line(data: Any, at: int, end: int) -> Records:
    """The line of a record that is too long, as an unreadable record."""
    one, zero = np.array([at]), np.zeros(1, np.int64)
    none = np.zeros(0, np.int64)
    stop = np.array([end])
    return Records(
        data, one, stop, zero, zero, zero, zero + 1, none, none, none, end=end + 1, line=1
    )


@dataclass(frozen=True)
class _Reader:
    header: Header
    leaves: list[Leaf]

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([pa.field(leaf.name, leaf.type, leaf.nullable) for leaf in self.leaves])

    def piece(self, found: Records, line: int) -> FilePiece:
        """Rows and faults of some records, by line. line: the number of lines before them."""
        decoded = total(len(found), self.schema, lambda rows: self._decoded(found, rows))
        faults = [
            (int(found.lines[at]), f"line {line + int(found.lines[at]) + 1}: {reason}")
            for at, reason in decoded.faults
        ]
        spans = zip(found.starts.tolist(), found.ends.tolist(), strict=True)
        bounds = list(spans) if faults else []
        values = {
            int(found.lines[at]): found.data[slice(*bounds[at])].tobytes()
            for at, _ in decoded.faults
        }
        return FilePiece(
            Decoded(decoded.batch, found.lines[decoded.rows], faults), values, found.line
        )

    def _decoded(self, found: Records, rows: Int64s) -> Decoded:
        width = len(self.header.names)
        whole = (found.faults[rows] == 0) & (found.counts[rows] == width)
        faults = {
            int(at): self.header.why_not_whole(found, int(rows[at]))
            for at in np.flatnonzero(~whole)
        }
        good = np.flatnonzero(whole)
        columns = []
        for leaf in self.leaves:
            column, wrong = self._column(found, rows[good], leaf)
            columns.append(column)
            for at, reason in wrong:
                faults.setdefault(int(good[at]), f"column '{leaf.name}': {reason}")
        batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        kept = ~np.isin(good, list(faults))
        if not kept.all():
            batch = batch.filter(pa.array(kept))
        return Decoded(batch, good[kept], sorted(faults.items()))

    def _column(self, found: Records, rows: Int64s, leaf: Leaf) -> tuple[Any, list[Any]]:
        at = named(leaf, self.header.names)
        if at is None:
            default = None if leaf.default is NO_DEFAULT else scalar(leaf.kind, leaf.default)
            return pa.repeat(
                pa.scalar(None, leaf.type) if default is None else default, len(rows)
            ), []
        cells = found.first_cells[rows] + at
        starts, sizes = found.cell_starts[cells], found.cell_sizes[cells]
        quoting = found.quoting[cells]
        bad = not_utf_8(found.data, starts, sizes)
        written = texts(found.data, starts, np.where(bad, 0, sizes), None, pa.string())
        if (quoting == 2).any():
            single = pc.replace_substring(written, '""', '"')
            written = pc.if_else(pa.array(quoting == 2), single, written)
        column, faults = column_of(written, quoting > 0, leaf)
        wrong = [(row, "it is not UTF-8") for row in np.flatnonzero(bad).tolist()]
        return column, [*wrong, *(fault for fault in faults if not bad[fault[0]])]
