"""CSV files as whole tables, with types from what they join or from their cells."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from tocsin.foundation.sandbox import pinned
from tocsin.kernels.avro.types import NO_DEFAULT, Leaf
from tocsin.kernels.batch import TIMESTAMP
from tocsin.kernels.csv.cells import Records, records
from tocsin.kernels.csv.values import column_of
from tocsin.parts.files.csv_header import Header, header_of

_AVRO = {
    pa.string(): "string",
    pa.int32(): "int",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.date32(): {"type": "int", "logicalType": "date"},
    TIMESTAMP: {"type": "long", "logicalType": "timestamp-micros"},
}
LARGEST_TABLE = 64 << 20
"""The most bytes of a table in a job that is not trusted."""
# Digits that a number would lose.
_LEADING_ZERO = "^[+-]?0[0-9]+$"


def read_csv_table(path: str, types: tuple[tuple[str, Any], ...]) -> pa.Table:
    """The table in a CSV file.

    Args:
        path: the file, with a header. The delimiter is the one of `,` `;` tab `|` that fits.
        types: columns and their Arrow types. The types of other columns follow from their cells,
            but a column with digits that begin with a zero is text.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: with the file, the line, and the column or the delimiter.
    """
    data = _bytes_of(path)
    known = dict(types)
    header = header_of(path, set(known))
    found = _checked(path, data, header)
    written = {}
    for at, name in enumerate(header.names):
        if name in written:
            raise ValueError(f"{path}:1: the column '{name}' is there twice")
        written[name] = _cells(data, found, at)
    given = {name: pa.string() for name in written if name in known or _is_text(written[name][0])}
    table = csv.read_csv(
        BytesIO(data),
        csv.ReadOptions(skip_rows=header.lines, column_names=header.names),
        csv.ParseOptions(delimiter=header.delimiter, newlines_in_values=True),
        csv.ConvertOptions(column_types=given),
    )
    for name, (cells, is_quoted) in written.items():
        if name in known:
            column = _typed(path, name, cells, is_quoted, known[name])
            table = table.set_column(table.schema.names.index(name), name, column)
    return table


@cache
def lines_of_rows(path: str) -> list[int]:
    """The line on which each row of a table begins, from 1."""
    header = header_of(path, set())
    lines: list[int] = (_records(_bytes_of(path), header).lines + header.lines + 1).tolist()
    return lines


def _bytes_of(path: str) -> bytes:
    with pinned(path, most=LARGEST_TABLE) as opened:
        return Path(opened).read_bytes()


def _records(data: bytes, header: Header) -> Records:
    octets = np.frombuffer(data or b"\0", np.uint8)[: len(data)]
    return records(octets, header.end, ord(header.delimiter), len(data) + 1, is_last=True)


def _checked(path: str, data: bytes, header: Header) -> Records:
    found = _records(data, header)
    width = len(header.names)
    for at in np.flatnonzero((found.faults != 0) | (found.counts != width)).tolist():
        line = header.lines + int(found.lines[at]) + 1
        raise ValueError(f"{path}:{line}: {header.why_not_whole(found, at)}")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        at = int(np.searchsorted(found.starts, error.start, "right")) - 1
        line = header.lines + int(found.lines[at]) + 1
        first = int(found.first_cells[at])
        starts = found.cell_starts[first : first + width]
        name = header.names[int(np.searchsorted(starts, error.start, "right")) - 1]
        raise ValueError(f"{path}:{line}: column '{name}': it is not UTF-8") from None
    return found


def _cells(data: bytes, found: Records, at: int) -> tuple[Any, Any]:
    """The cells of a column, and whether each has quotes."""
    cells = found.first_cells + at
    starts, sizes = found.cell_starts[cells], found.cell_sizes[cells]
    spans = zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
    texts = [data[start:end].decode() for start, end in spans]
    quoting = found.quoting[cells]
    for row in np.flatnonzero(quoting == 2).tolist():
        texts[row] = texts[row].replace('""', '"')
    return pa.array(texts, pa.string()), quoting > 0


def _is_text(cells: Any) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, _LEADING_ZERO)).as_py())


def _typed(path: str, name: str, cells: Any, is_quoted: Any, wanted: Any) -> pa.Array:
    kind = _AVRO.get(wanted)
    if kind is None:
        raise ValueError(f"{path}: '{name}' would have to be {wanted}, which CSV does not hold")
    # An empty text is a key like others; an empty number is null.
    leaf = Leaf((name,), wanted, wanted != pa.string(), NO_DEFAULT, (), kind)
    column, faults = column_of(cells, is_quoted, leaf)
    for row, reason in faults:
        line = lines_of_rows(path)[row]
        raise ValueError(f"{path}:{line}: column '{name}': {reason}, and its inputs have {wanted}")
    return column
