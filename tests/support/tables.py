"""Reads the tables that tests write, by their live files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tocsin.table.table import Table, open_table


def table_of(lake: Path, dataset: str) -> Table:
    """The newest version of a dataset."""
    found = open_table(str(lake / dataset))
    assert found is not None
    return found


def live_files(lake: Path, dataset: str) -> list[Path]:
    """The files of the newest version, by path; none where there is no table yet."""
    found = open_table(str(lake / dataset))
    return [] if found is None else [lake / dataset / file.path for file in found.files()]


def live_rows(lake: Path, dataset: str) -> pa.Table:
    """All rows of the newest version."""
    tables = [parquet.read_table(file, partitioning=None) for file in live_files(lake, dataset)]
    return pa.concat_tables(
        [one.replace_schema_metadata(None) for one in tables], promote_options="default"
    )


def values(lake: Path, dataset: str, column: str) -> list[Any]:
    """The values of a column, sorted."""
    return sorted(live_rows(lake, dataset).column(column).to_pylist(), key=str)


def strays(lake: Path, dataset: str) -> list[Path]:
    """Data files that the newest version does not have."""
    return sorted({*(lake / dataset).rglob("*.parquet")} - {*live_files(lake, dataset)})
