"""`tocsin explain`: a page for every part, whose YAML passes `tocsin check` in a job."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from tests.support.packages import DROP, ROOT, install_package, run_command
from tests.support.table_files import put
from tocsin.cli.part_page import BRIDGES, bridge_page, page
from tocsin.compiler.checker import check_text
from tocsin.parts.registry import load, locations
from tocsin.steps.catalogue import built_in_steps, step_types

PARTS: dict[str, Any] = {
    **built_in_steps(),
    **{place.name_in_jobs: place for place in locations().values()},
}
STEPS = """
- type: ReadFiles
  name: ReadTelemetry
  config: {files: recordings/air.parquet, event_time: observed_at}
- type: ReadFiles
  name: Registry
  config: {files: registry/heights.parquet, event_time: at}
- type: Aggregate
  input: ReadTelemetry
  config:
    every: 10 min
    by: [sensor_id, metric, latitude, longitude]
    measures: {mean: mean(value)}
- type: Aggregate
  name: Weather
  input: ReadTelemetry
  config: {every: 10 min, by: [sensor_id], measures: {wind: mean(value)}}
- type: Detect
  input: ReadTelemetry
  config: {of: value, by: [sensor_id], with: auto}
"""
DISTRICT = {
    "type": "Feature",
    "properties": {"name": "centre"},
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the examples name."""
    folder = tmp_path_factory.mktemp("city")
    moment = pa.timestamp("ms", "UTC")
    place = {"latitude": pa.float64(), "longitude": pa.float64()}
    readings = {
        "sensor_id": pa.string(),
        "metric": pa.string(),
        "observed_at": moment,
        "value": pa.float64(),
        "other_value": pa.float64(),
        **place,
    }
    registry = {"sensor_id": pa.string(), "at": moment, "height": pa.float64()}
    system = {"_partition": pa.int32(), "_offset": pa.int64(), "_index": pa.int32()}
    files = {
        "recordings/air.parquet": readings,
        "registry/heights.parquet": registry,
    }
    for name, columns in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        table = pa.schema(list(columns.items())).empty_table()
        parquet.write_table(table, folder / name)
    archived = {**readings, "observed_at": pa.timestamp("us", "UTC"), **system}
    put(folder / "lake" / "raw_air", pa.schema(list(archived.items())).empty_table())
    (folder / "registry").mkdir(exist_ok=True)
    shutil.copy(ROOT / "registry/air_sensors.csv", folder / "registry")
    areas = {"type": "FeatureCollection", "features": [DISTRICT]}
    (folder / "registry" / "districts.geojson").write_text(json.dumps(areas))
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    return folder


def example(text: str) -> dict[str, Any]:
    """The one step of a page's YAML."""
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (step,) = yaml.safe_load(block)
    return step


@pytest.mark.parametrize("name", PARTS)
def test_the_yaml_of_a_page_passes_check(
    name: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    part = PARTS[name]
    text = page(name, part if isinstance(part, type) else load(part))
    assert text.startswith(f"# {name}\n")
    step = example(text)
    place = step_types().get(step["type"])
    if place is None or place.folder != "read":
        step.setdefault("input", "ReadTelemetry")
    step["name"] = "Explained"
    steps = [*yaml.safe_load(STEPS), step]
    job = yaml.safe_dump({"pipeline": {"type": "composite", "transforms": steps}})
    checked, _ = check_text(str(project / "job.yaml"), job)
    assert checked.step("Explained").type == step["type"]


@pytest.mark.parametrize("name", BRIDGES)
def test_a_step_between_batches_and_rows_has_a_page(name: str) -> None:
    assert example(bridge_page(name)) == {"type": name}


def test_names_of_files_and_of_steps_are_explained_alike(tocsin: Any) -> None:
    assert tocsin("explain", "write_to_lake") == tocsin("explain", "WriteToLake")
    for name in ("Threshold", "threshold"):
        code, out, _ = tocsin("explain", name)
        assert (code, out.splitlines()[0]) == (0, "# threshold")


def test_the_page_of_a_third_partys_part_has_its_prefix(tmp_path: Path) -> None:
    site = install_package(tmp_path, "acme", {"clean/drop.py": DROP})
    for name in ("acme/Drop", "acme/drop"):
        done = run_command("explain", name, site=site)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("# acme/Drop\n")
        assert "- type: acme/Drop\n" in done.stdout
