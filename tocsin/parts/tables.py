"""Tables that a job reads, such as a registry of sensors."""

from __future__ import annotations

from functools import cache
from typing import Any

import pyarrow as pa

from tocsin.foundation.faults import Fault
from tocsin.foundation.sandbox import JudgedPath, pinned
from tocsin.kernels.foreign_types import converted, usual_type
from tocsin.parts.files.csv_header import header_of
from tocsin.parts.files.csv_table import LARGEST_TABLE, lines_of_rows, read_csv_table

# The most rows of a Parquet table in a job that is not trusted.
_MOST_ROWS = 2_000_000

Types = tuple[tuple[str, Any], ...]
"""Columns and the Arrow types that they must have, such as those of the readings they join."""


@cache
def read_table(path: str, types: Types = ()) -> pa.Table:
    """The table in a CSV or Parquet file. Each file is read once for each `types`.

    Args:
        path: the file.
        types: columns with a known type. In CSV, the types of the others follow from their cells;
            digits with leading zeros are text.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: with the file, and with the line of CSV, if a value does not fit.
    """
    if not path.endswith(".parquet"):
        return read_csv_table(path, types)
    from pyarrow import parquet

    try:
        with pinned(path, most=LARGEST_TABLE) as opened:
            if isinstance(path, JudgedPath):
                _check_rows(path, parquet.read_metadata(opened).num_rows)
            table = parquet.read_table(opened, coerce_int96_timestamp_unit="us")
    except pa.ArrowException as error:
        raise ValueError(f"{path}: {_first_line(error)}") from None
    return _typed(path, table, dict(types))


def _check_rows(path: str, rows: int) -> None:
    # A small file holds any number of equal rows.
    if rows > _MOST_ROWS:
        raise ValueError(f"{path}: the table has {rows:,} rows, and at most {_MOST_ROWS:,} fit")


def _typed(path: str, table: pa.Table, types: dict[str, Any]) -> pa.Table:
    columns = []
    for name, column in zip(table.schema.names, table.columns, strict=True):
        wanted = types.get(name, usual_type(column.type))
        if wanted == column.type:
            columns.append(column)
            continue
        try:
            columns.append(converted(column.combine_chunks(), wanted))
        except (ValueError, NotImplementedError) as error:
            kind = f"'{name}' is {column.type}, and {wanted} in what it joins"
            raise ValueError(f"{path}: {kind}: {_first_line(error)}") from None
    return pa.table(columns, names=table.schema.names)


def place_of_row(path: str, row: int) -> str:
    """Where a row of a table is: the file, and the line of CSV or the row of Parquet, from 1."""
    if path.endswith(".parquet"):
        return f"{path}, row {row + 1}"
    return f"{path}:{lines_of_rows(path)[row]}"


def columns_shown(path: str, table: pa.Table) -> str:
    """The columns of a table in a sentence, with the delimiter of CSV."""
    if path.endswith(".parquet"):
        return f"(columns: {', '.join(table.schema.names)})"
    return header_of(path, set(table.schema.names)).shown()


def checked_table(path: str, columns: list[str], *place: str, types: Types = ()) -> pa.Table:
    """The table in a file, with a check of its columns.

    Args:
        path: CSV or Parquet file.
        columns: columns that it must have.
        place: path in the configuration, for the error.
        types: as in `read_table`.

    Raises:
        Fault: if the file cannot be read or a column is missing.
    """
    try:
        table = read_table(path, types)
    except (OSError, ValueError) as error:
        raise Fault(f"cannot read the table: {error}", *place) from None
    for name in columns:
        if name not in table.schema.names:
            raise Fault(f"no column '{name}' in the table {columns_shown(path, table)}", *place)
    return table


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
