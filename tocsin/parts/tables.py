"""Tables that a job names, such as a registry of sensors."""

from __future__ import annotations

from functools import cache

import pyarrow as pa


@cache
def read_table(path: str) -> pa.Table:
    """The CSV or Parquet file, read once. Raises OSError or ArrowInvalid."""
    if path.endswith(".parquet"):
        from pyarrow import parquet

        return parquet.read_table(path)
    from pyarrow import csv

    return csv.read_csv(path)
