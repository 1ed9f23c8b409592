"""Tables that a job names, such as a registry of sensors."""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from tocsin.foundation.faults import Fault


@cache
def read_table(path: str) -> pa.Table:
    """The CSV or Parquet file, read once. Raises OSError or ArrowInvalid."""
    if path.endswith(".parquet"):
        from pyarrow import parquet

        return parquet.read_table(path)
    from pyarrow import csv

    return csv.read_csv(path)


def checked_table(path: str, columns: list[str], *place: str) -> pa.Table:
    """The table, which must have the columns. Raises Fault, at this place of the configuration."""
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
