"""Programs read the lakes of the six jobs: GeoPandas, DuckDB, Spark, Polars, pandas and pyarrow.

They need other versions of packages: `make test-readers` makes an environment for them and sets
TOCSIN_READERS to its interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tocsin.lake.datasets import datasets_of, table_of
from tocsin.lake.export import export
from tocsin.lake.newest import newest
from tocsin.lake.newest_sql import newest_sql

ROOT = Path(__file__).parents[2]
READERS = os.environ.get("TOCSIN_READERS")
# Delta for the release of Spark in requirements-readers.txt.
DELTA = "io.delta:delta-spark_4.2_2.13:4.4.0"
# Datasets with points, by job.
PLACED = {
    "air_quality": ["air_quality_hours", "air_quality_index"],
    "climate": ["climate_felt"],
    "connected_locks": ["lock_events"],
    "network_links": ["link_quality", "link_utilisation"],
    "surveillance": ["camera_health"],
    "traffic": ["traffic_lanes"],
}

pytestmark = pytest.mark.skipif(
    READERS is None, reason="TOCSIN_READERS is not set: `make test-readers`"
)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of a small city through its six jobs."""
    folder = tmp_path_factory.mktemp("day")
    command = [sys.executable, "-m", "benchmarks.day", "--share", "0.01", "--folder", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*/lakes"))


def read(program: str, *arguments: object) -> Any:
    """The JSON in the last line that a program of the other environment prints."""
    assert READERS is not None
    command = [READERS, str(Path(__file__).parent / f"{program}.py"), *map(str, arguments)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    assert found.returncode == 0, found.stderr[-3000:]
    return json.loads(found.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def datasets(lakes: Path) -> list[Path]:
    """The folders of all datasets with files."""
    folders = [one for job in sorted(lakes.iterdir()) for one in datasets_of(job)]
    found = [one for one in folders if rows_in_log(one)]
    assert len(found) > 30
    return found


def rows_in_log(dataset: Path, version: str | None = None) -> int:
    return sum(file.rows for file in table_of(dataset, version).files())


def expected(table: Any) -> dict[str, Any]:
    """Rows, rows with a place, and the corners of their bounding box."""
    known = table.filter(table.column("latitude").is_valid())
    latitudes, longitudes = (known.column(name).to_pylist() for name in ("latitude", "longitude"))
    corners = [min(longitudes), min(latitudes), max(longitudes), max(latitudes)]
    return {"rows": table.num_rows, "places": len(latitudes), "corners": corners}


@pytest.mark.parametrize(
    ("job", "name"), [(job, name) for job, names in PLACED.items() for name in names]
)
@pytest.mark.parametrize("program", ["with_geopandas", "with_duckdb_spatial"])
def test_map_programs_read_points(
    program: str, job: str, name: str, lakes: Path, tmp_path: Path
) -> None:
    export(lakes / job, name, tmp_path / "out.parquet")
    wanted = expected(newest(lakes / job, name))
    assert wanted["places"] > 20
    found = read(program, tmp_path / "out.parquet")
    assert found.pop("system") == "OGC:CRS84"
    assert found == wanted


def test_spark_reads_every_dataset(datasets: list[Path], tmp_path: Path) -> None:
    wanted, asked = {}, {}
    for one in datasets:
        rows = newest(one.parent, one.name).num_rows
        wanted[str(one)] = [rows_in_log(one), rows_in_log(one, "1"), rows]
        asked[str(one)] = newest_sql(one.parent, "spark")[one.name]
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    assert read("with_spark", DELTA, tmp_path / "asked.json") == wanted


def test_programs_of_python_read_every_dataset(datasets: list[Path]) -> None:
    for one in datasets:
        rows = rows_in_log(one)
        table = DeltaTable(str(one))
        assert pl.scan_delta(str(one)).select(pl.len()).collect().item() == rows, one
        assert len(table.to_pandas()) == rows, one
        assert table.to_pyarrow_dataset().count_rows() == rows, one
        assert pa.table(table.to_pyarrow_table()).num_rows == rows, one
