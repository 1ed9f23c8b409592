"""The lines of docs/lake.md by which other programs read a dataset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from tests.support.table_files import ROWS, put, readings
from tocsin.lake.compaction import compact
from tocsin.lake.newest import newest, newest_in_pandas, newest_in_polars

PAGE = (Path(__file__).parents[2] / "docs/lake.md").read_text("utf-8")
LINES = dict(re.findall(r"^\| ([^|]+) \| `([^`]*lake/air_quality[^`]*)` \|$", PAGE, re.MULTILINE))
HERE = [name for name in LINES if not name.startswith("Spark")]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files, merged: the folder has three."""
    for hour in range(2):
        put(tmp_path / "lake" / "air_quality", readings(hour), hour)
    compact(tmp_path / "lake", 0)
    monkeypatch.chdir(tmp_path)


def test_the_page_has_a_line_for_each_program() -> None:
    names = {"pyarrow", "pandas", "Polars", "DuckDB", "Spark with delta-spark"}
    assert names <= {*LINES}
    assert len(HERE) == 6


@pytest.mark.parametrize("name", HERE)
@pytest.mark.usefixtures("lake")
def test_a_documented_line_reads_the_rows(name: str) -> None:
    names: dict[str, Any] = {"DeltaTable": DeltaTable, "polars": pl, "duckdb": duckdb}
    found = eval(LINES[name], names)
    rows = found.fetchall() if name == "DuckDB" else found
    assert len(rows) == (ROWS if "version 1" in name else 2 * ROWS)


@pytest.mark.usefixtures("lake")
def test_the_documented_functions_read_the_newest_rows() -> None:
    for function in (newest, newest_in_pandas, newest_in_polars):
        assert f'`tocsin.lake.newest.{function.__name__}("lake", "air_quality")`' in PAGE
    assert len(newest("lake", "air_quality")) == len(newest_in_pandas("lake", "air_quality")) == 12
    assert newest_in_polars("lake", "air_quality").collect().height == 12
