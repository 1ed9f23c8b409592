"""Files of areas as others write them: coordinate systems, missing geometries, broken files."""

from __future__ import annotations

import builtins
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from pyarrow import parquet

from tocsin.parts.area_files import read_areas

LAMBERT = "urn:ogc:def:crs:EPSG::2154"  # metres, metropolitan France
RENNES = shapely.box(351_000, 6_788_000, 353_000, 6_790_000)
RENNES_PLACE = (np.array([48.1147]), np.array([-1.6794]))
SQUARE = shapely.box(0, 0, 10, 10)
CRS_84 = {"type": "GeographicCRS", "name": "WGS 84", "id": {"authority": "OGC", "code": "CRS84"}}


def geojson(
    folder: Path, shapes: list[Any], crs: Any = None, names: list[Any] | None = None
) -> str:
    features = [
        {
            "type": "Feature",
            "properties": {"name": name},
            "geometry": None if shape is None else json.loads(shapely.to_geojson(shape)),
        }
        for shape, name in zip(shapes, names or [f"a{i}" for i in range(len(shapes))], strict=True)
    ]
    content: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if crs is not None:
        content["crs"] = crs
    path = folder / "areas.geojson"
    path.write_text(json.dumps(content))
    return str(path)


def geoparquet(folder: Path, shapes: list[Any], **column: Any) -> str:
    table = pa.table(
        {
            "name": [f"a{at}" for at in range(len(shapes))],
            "shape": pa.array(
                [None if one is None else shapely.to_wkb(one) for one in shapes], pa.binary()
            ),
        }
    )
    about = {"encoding": "WKB", "geometry_types": [], **column}
    geo = {"version": "1.1.0", "primary_column": "shape", "columns": {"shape": about}}
    path = folder / "areas.parquet"
    parquet.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    return str(path)


def found(path: str, latitude: Any, longitude: Any) -> list[int]:
    numbers: list[int] = read_areas(path).areas.of(latitude, longitude).tolist()
    return numbers


@pytest.mark.parametrize("write", [geojson, geoparquet])
def test_features_without_geometry_are_skipped_and_counted(
    write: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hollow = SQUARE.difference(shapely.box(4, 4, 6, 6))
    with caplog.at_level(logging.WARNING, logger="tocsin.areas"):
        path = write(tmp_path, [None, hollow, shapely.Polygon()])
        assert found(path, np.array([1.0, 5.0]), np.array([1.0, 5.0])) == [1, -1]
    assert caplog.messages == [f"{path}: features without a geometry: 2 of 3"]
    assert read_areas(path).properties.column("name").to_pylist() == ["a0", "a1", "a2"]


@pytest.mark.parametrize("write", [geojson, geoparquet])
def test_a_file_without_any_geometry_is_refused(write: Any, tmp_path: Path) -> None:
    path = write(tmp_path, [None, shapely.Polygon()])
    with pytest.raises(ValueError, match=r"areas\.\w+: no feature has a geometry"):
        read_areas(path)


def _named(name: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


@pytest.mark.parametrize(
    "name",
    [
        "urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326", "EPSG:4326",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
    ],
)  # fmt: skip
def test_names_of_wgs_84_need_no_conversion(name: str, tmp_path: Path) -> None:
    path = geojson(tmp_path, [shapely.box(0, 20, 10, 30)], _named(name))
    assert found(path, np.array([25.0]), np.array([5.0])) == [0]


def test_geoparquet_is_wgs_84_by_default_or_by_name(tmp_path: Path) -> None:
    for at, column in enumerate([{}, {"crs": CRS_84}]):
        (folder := tmp_path / str(at)).mkdir()
        path = geoparquet(folder, [shapely.box(0, 20, 10, 30)], **column)
        assert found(path, np.array([25.0]), np.array([5.0])) == [0]


def test_other_coordinate_systems_are_converted(tmp_path: Path) -> None:
    pyproj = pytest.importorskip("pyproj", reason="the extra `geo` is not installed")
    with_code = pyproj.CRS(2154).to_json_dict()
    without_code = {key: value for key, value in with_code.items() if key != "id"}
    files = [
        geojson(tmp_path, [None, RENNES], _named(LAMBERT)),
        geoparquet(tmp_path, [None, RENNES], crs=with_code),
    ]
    (folder := tmp_path / "nameless").mkdir()
    files.append(geoparquet(folder, [None, RENNES], crs=without_code))
    for path in files:
        assert found(path, *RENNES_PLACE) == [1]
        assert found(path, RENNES_PLACE[0] + 0.05, RENNES_PLACE[1]) == [-1]


def test_an_unknown_coordinate_system_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyproj", reason="the extra `geo` is not installed")
    path = geojson(tmp_path, [RENNES], _named("EPSG:1"))
    with pytest.raises(ValueError, match=r"areas\.geojson: pyproj cannot convert .* EPSG:1"):
        read_areas(path)
    (folder := tmp_path / "outside").mkdir()
    path = geojson(folder, [shapely.box(1e30, 0, 2e30, 1)], _named("EPSG:25832"))
    with pytest.raises(ValueError, match="outside its coordinate system EPSG:25832"):
        read_areas(path)


def test_without_pyproj_another_system_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = builtins.__import__

    def without(name: str, *others: Any) -> Any:
        if name == "pyproj":
            raise ImportError(name)
        return plain(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    projected = {"id": {"authority": "EPSG", "code": 2154}}
    for path in (
        geojson(tmp_path, [RENNES], _named(LAMBERT)),
        geoparquet(tmp_path, [RENNES], crs=projected),
    ):
        with pytest.raises(ValueError, match=r"areas\.\w+: its coordinates are EPSG:2154, not WGS"):
            read_areas(path)


@pytest.mark.parametrize(
    ("crs", "why"),
    [
        ({"type": "link", "properties": {"href": "x.prj"}}, "its coordinate system .crs. is not"),
        ("EPSG:2154", "is no GeoJSON FeatureCollection"),
    ],
)
def test_a_crs_without_a_name_is_refused(crs: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=why):
        read_areas(geojson(tmp_path, [SQUARE], crs))


def test_geoparquet_of_an_unknown_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"areas\.parquet: its coordinate system .crs. is not"):
        read_areas(geoparquet(tmp_path, [SQUARE], crs=None))


@pytest.mark.parametrize("shape", [RENNES, shapely.box(0, 0, 1, 91), shapely.box(500, 0, 600, 1)])
def test_coordinates_that_are_no_degrees_are_refused(shape: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"areas\.geojson: \(.*\) is no longitude and latitude"):
        read_areas(geojson(tmp_path, [None, shape]))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.geojson", b""),
        ("a.geojson", b"\xff\xfe"),
        ("a.geojson", b"[]"),
        ("a.geojson", b"null"),
        ("a.geojson", b'{"features": [3]}'),
        ("a.geojson", b'{"features": [{"geometry": {"type": "Polygon"}}]}'),
        ("a.geojson", b'{"features": [{"geometry": {"type": "Sphere", "coordinates": []}}]}'),
        ("a.geojson", b'{"features": [{"geometry": null, "properties": {"n": %d}}]}' % 10**30),
        ("a.geojson", b'{"features": [{"properties": {"n": 1}}, {"properties": {"n": "x"}}]}'),
        ("a.parquet", b""),
        ("a.parquet", b"PAR1\x00\x00PAR1"),
    ],
)  # fmt: skip
def test_a_broken_file_is_one_sentence_with_its_name(
    name: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} is no Geo"):
        read_areas(str(path))


@pytest.mark.parametrize("metadata", ["", "[]", "{}", '{"primary_column": "shape"}'])
def test_parquet_that_is_no_geoparquet_is_one_sentence_with_its_name(
    metadata: str, tmp_path: Path
) -> None:
    table = pa.table({"shape": [shapely.to_wkb(SQUARE)]}).replace_schema_metadata({"geo": metadata})
    parquet.write_table(table, tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"b\.parquet is no GeoParquet file"):
        read_areas(str(tmp_path / "b.parquet"))


@pytest.mark.parametrize("column", [[[1.0, 2.0]], [b"\x01\x02"], ["text"]])
def test_geometries_that_are_no_wkb_are_one_sentence_with_the_files_name(
    column: Any, tmp_path: Path
) -> None:
    about = {"encoding": "WKB", "geometry_types": []}
    geo = {"version": "1.1.0", "primary_column": "shape", "columns": {"shape": about}}
    table = pa.table({"shape": column}).replace_schema_metadata({"geo": json.dumps(geo)})
    parquet.write_table(table, tmp_path / "c.parquet")
    with pytest.raises(ValueError, match=r"c\.parquet is no GeoParquet file"):
        read_areas(str(tmp_path / "c.parquet"))


@pytest.mark.parametrize("name", ["none.geojson", "none.parquet"])
def test_a_missing_file_keeps_its_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=name):
        read_areas(str(tmp_path / name))
