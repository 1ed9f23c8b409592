"""Tables that a job reads, such as a registry of sensors."""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from tocsin.foundation.faults import Fault


@cache
def read_table(path: str) -> pa.Table:
    """The table in a CSV or Parquet file. Each file is read once.

    Raises:
        OSError: if the file cannot be read.
        pyarrow.ArrowInvalid: if it is not a CSV or Parquet file.
    """
    if path.endswith(".parquet"):
        from pyarrow import parquet

        return parquet.read_table(path)
    from pyarrow import csv

    return csv.read_csv(path)


def checked_table(path: str, columns: list[str], *place: str) -> pa.Table:
    """The table in a file, with a check of its columns.

    Args:
        path: CSV or Parquet file.
        columns: columns that it must have.
        place: path in the configuration, for the error.

    Raises:
        Fault: if the file cannot be read or a column is missing.
    """
    try:
        table = read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise Fault(f"cannot read the table: {error}", *place) from None
    for name in columns:
        if name not in table.schema.names:
            raise Fault(
                f"no column '{name}' in the table (columns: {', '.join(table.schema.names)})",
                *place,
            )
    return table
