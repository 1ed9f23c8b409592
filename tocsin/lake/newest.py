"""The newest revision of each row of a dataset, for programs in Python.

`newest` is a table of pyarrow, `newest_in_pandas` a frame of pandas, `newest_in_polars` a lazy
frame of Polars. Each reads the live files of one version. pandas and Polars are not installed with
tocsin.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.foundation.failure import Failure
from tocsin.kernels.aggregation.grouping import group_ids
from tocsin.lake.datasets import chosen, keys_of, on_newest, table_of
from tocsin.lake.footers import table_in
from tocsin.lake.superseded import REVISION
from tocsin.table.columns import as_table
from tocsin.table.table import Table


def newest(root: Path | str, dataset: str, at: str | None = None) -> Any:
    """The newest revision of each window and key, as a table of pyarrow.

    A dataset without revisions comes with all its rows. Columns are those of the table; one that a
    file lacks is null.

    Args:
        root: folder of the lake.
        dataset: its name.
        at: a version or a time of the table; None for the newest version.

    Raises:
        Failure: if there is no such dataset or version, or a file cannot be read.
    """
    (folder,) = chosen(Path(root), dataset)
    return on_newest(folder, _rows) if at is None else _rows(table_of(folder, at))


def newest_in_pandas(root: Path | str, dataset: str, at: str | None = None) -> Any:
    """As `newest`, as a frame of pandas. Raises Failure where pandas is not installed."""
    _needed("pandas")
    return newest(root, dataset, at).to_pandas()


def newest_in_polars(root: Path | str, dataset: str, at: str | None = None) -> Any:
    """As `newest`, as a lazy frame of Polars; rows are read when it is collected.

    Raises Failure where Polars is not installed.
    """
    polars = _needed("polars")
    (folder,) = chosen(Path(root), dataset)
    table = table_of(folder, at)
    frame = polars.scan_delta(str(folder), version=table.version)
    keys = keys_of(table)
    if not keys or REVISION not in table.schema.names:
        return frame
    return frame.sort(REVISION, descending=True).unique(keys, keep="first", maintain_order=True)


def _needed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Failure(f"{name} is not installed: `pip install {name}`") from None


def _rows(table: Table) -> Any:
    schema = table.schema
    parts = [
        as_table(table_in(Path(table.place) / file.path), schema)
        for file in table.files()
        if file.rows
    ]
    whole = pa.concat_tables([schema.empty_table(), *parts])
    keys = keys_of(table)
    if not keys or REVISION not in schema.names or not whole.num_rows:
        return whole
    order = pc.sort_indices(whole, [(REVISION, "descending")])
    whole = whole.take(order).combine_chunks()
    _, first = group_ids([whole.column(key).combine_chunks() for key in keys])
    return whole.take(first)
