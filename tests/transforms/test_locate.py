"""Point in polygon: GeoJSON and GeoParquet agree; borders belong to the area, first area wins."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tocsin.foundation.faults import Faults
from tocsin.kernels.batch import SYSTEM_FIELDS, readings_schema
from tocsin.parts.registry import find

AREAS = {"first": [0, 0, 2, 2], "second": [1, 1, 3, 3], "hole": [10, 10, 13, 13]}
SCHEMA = readings_schema(
    [pa.field(name, pa.float64()) for name in ("latitude", "longitude")],
    topic="t",
    allowed_lateness=0,
)


def polygon(name: str) -> Any:
    box = shapely.box(*AREAS[name])
    return box.difference(shapely.box(11, 11, 12, 12)) if name == "hole" else box


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("areas")
    features = [
        {
            "type": "Feature",
            "properties": {"name": name, "n": at},
            "geometry": json.loads(shapely.to_geojson(polygon(name))),
        }
        for at, name in enumerate(AREAS)
    ]
    (folder / "areas.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": features})
    )
    table = pa.table(
        {
            "name": list(AREAS),
            "n": [0, 1, 2],
            "geometry": [shapely.to_wkb(polygon(name)) for name in AREAS],
        }
    )
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Polygon"]}},
    }
    parquet.write_table(
        table.replace_schema_metadata({"geo": json.dumps(geo)}), folder / "areas.parquet"
    )
    (folder / "broken.geojson").write_text('{"features": 3}')
    parquet.write_table(table, folder / "plain.parquet")
    return [
        str(folder / name)
        for name in ("areas.geojson", "areas.parquet", "broken.geojson", "plain.parquet")
    ]


def located(
    file: str, places: list[tuple[float | None, float | None]], **config: Any
) -> list[str | None]:
    rows = len(places)
    columns = [pa.array([place[at] for place in places], pa.float64()) for at in range(2)]
    columns += [pa.nulls(rows, field.type) for field in SYSTEM_FIELDS]
    part = find("enrich", "locate").model_validate(
        {"areas": file, "add": {"area": "name"}, **config}, context={"folders": ["/"]}
    )
    outcome = part.apply(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
    assert outcome.kept.num_rows + outcome.filtered == rows
    assert outcome.kept.schema.equals(part.output_schema(SCHEMA))
    found: list[str | None] = outcome.kept.column("area").to_pylist()
    return found


PLACES: list[tuple[float | None, float | None]] = [
    (0.5, 0.5),
    (1.5, 1.5),
    (2.5, 2.5),
    (2.0, 0.0),
    (11.5, 11.5),
    (10.5, 12.5),
    (50.0, 50.0),
    (None, 1.0),
]
EXPECTED = ["first", "first", "second", "first", None, "hole", None, None]


def test_both_formats_find_the_same(files: list[str]) -> None:
    for file in files[:2]:
        assert located(file, PLACES) == EXPECTED
        assert located(file, PLACES, outside="filter") == [one for one in EXPECTED if one]


@given(st.lists(st.tuples(st.floats(-1, 14), st.floats(-1, 14)), max_size=20))
def test_it_equals_a_loop_over_polygons(
    files: list[str], places: list[tuple[float, float]]
) -> None:
    expected = [
        next((name for name in AREAS if polygon(name).intersects(shapely.Point(lng, lat))), None)
        for lat, lng in places
    ]
    assert located(files[0], list(places)) == expected


def test_mistakes_are_reported(files: list[str]) -> None:
    part = find("enrich", "locate")
    for file, add, why in (
        (files[0], {"area": "nome"}, "the areas have no 'nome' .they have: name, n."),
        (files[2], {"area": "name"}, "is no GeoJSON FeatureCollection"),
        (files[3], {"area": "name"}, "is no GeoParquet file"),
        (files[0], {"latitude": "name"}, "already has a column 'latitude'"),
    ):
        with pytest.raises(Faults, match=why):
            part.model_validate(
                {"areas": file, "add": add}, context={"folders": ["/"]}
            ).output_schema(SCHEMA)


def test_places_are_looked_up_once(files: list[str]) -> None:
    many = [(0.5, 0.5)] * 1000 + [(2.5, 2.5)]
    assert np.unique(located(files[0], list(many))).tolist() == ["first", "second"]
