"""GeoPandas, DuckDB with its spatial extension, and Spark read the lakes of the six jobs.

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

import pytest
from pyarrow import parquet

from tocsin.lake.datasets import files_of

ROOT = Path(__file__).parents[2]
READERS = os.environ.get("TOCSIN_READERS")
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
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stderr[-3000:]
    return json.loads(found.stdout.strip().splitlines()[-1])


def expected(dataset: Path) -> dict[str, Any]:
    """Rows, rows with a place, and the corners of their bounding box."""
    tables = [
        parquet.read_table(file, columns=["latitude", "longitude"], partitioning=None)
        for file in files_of(dataset)
    ]
    known = [table.filter(table.column("latitude").is_valid()) for table in tables]
    latitudes, longitudes = (
        [v for t in known for v in t.column(name).to_pylist()] for name in ("latitude", "longitude")
    )
    corners = [min(longitudes), min(latitudes), max(longitudes), max(latitudes)]
    return {
        "rows": sum(table.num_rows for table in tables),
        "places": len(latitudes),
        "corners": corners,
    }


@pytest.mark.parametrize(
    ("job", "name"), [(job, name) for job, names in PLACED.items() for name in names]
)
@pytest.mark.parametrize("program", ["with_geopandas", "with_duckdb_spatial"])
def test_map_programs_read_points(program: str, job: str, name: str, lakes: Path) -> None:
    wanted = expected(lakes / job / name)
    assert wanted["places"] > 20
    found = read(program, lakes / job / name)
    assert found.pop("system") == "OGC:CRS84"
    assert found == wanted


def test_spark_reads_every_dataset(lakes: Path) -> None:
    datasets = sorted({file.relative_to(lakes).parts[:2] for file in files_of(lakes)})
    assert len(datasets) > 30
    wanted = {
        f"{job}/{name}": sum(
            parquet.read_metadata(file).num_rows for file in files_of(lakes / job / name)
        )
        for job, name in datasets
    }
    assert read("with_spark", lakes, *wanted) == wanted
