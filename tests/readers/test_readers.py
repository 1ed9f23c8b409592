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
from tocsin.lake.export import export
from tocsin.lake.newest import newest
from tocsin.lake.newest_sql import newest_sql

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


def test_spark_reads_every_dataset(lakes: Path, tmp_path: Path) -> None:
    wanted, asked = {}, {}
    for lake in sorted(lakes.iterdir()):
        for name, sql in newest_sql(lake, "spark").items():
            files = files_of(lake / name)
            if not files:
                continue
            rows = sum(parquet.read_metadata(file).num_rows for file in files)
            wanted[f"{lake.name}/{name}"] = [rows, newest(lake, name).num_rows]
            # Without delta-spark, the table is a view of the live files.
            view = sql.replace(f"delta.`{(lake / name).resolve()}`", "dataset").rstrip(";")
            asked[f"{lake.name}/{name}"] = {"files": [*map(str, files)], "sql": view}
    assert len(wanted) > 30
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    assert read("with_spark", tmp_path / "asked.json") == wanted
