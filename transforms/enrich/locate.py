"""The area that contains a place."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from tocsin.api.transform import (
    Collector,
    DataFile,
    Fault,
    Outcome,
    Param,
    Transform,
    need_columns,
    user_columns,
)


class Locate(Transform):
    """Adds properties of the area that contains each row's place: a point-in-polygon join.

    The areas are GeoJSON or GeoParquet. The borders of an area belong to it. If areas overlap, the
    first in the file counts. A place in no area, or without coordinates, gets nulls or is filtered:
    an area is then a geofence. Coordinates are longitude and latitude of WGS 84 (RFC 7946).
    """

    areas: DataFile = Param(
        help="GeoJSON (.geojson, .json) or GeoParquet (.parquet) file with polygons",
        examples=["registry/districts.geojson"],
    )
    add: dict[str, str] = Param(
        help="columns by name: properties of the areas, such as {district: name}",
        min_length=1,
        examples=[{"district": "name"}],
    )
    latitude: str = Param("latitude", help="column of the latitude, degrees")
    longitude: str = Param("longitude", help="column of the longitude, degrees")
    outside: Literal["null", "filter"] = Param("null", help="what to do with rows in no area")

    examples: ClassVar[list[object]] = []

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        collector = Collector()
        for key, name in (("latitude", self.latitude), ("longitude", self.longitude)):
            with collector:
                need_columns([name], schema, key)
        with collector:
            try:
                properties = _areas(self.areas).properties
            except (OSError, ValueError, pa.ArrowInvalid) as error:
                raise Fault(f"cannot read the areas: {error}", "areas") from None
            for name, of in self.add.items():
                with collector:
                    if of not in properties.schema.names:
                        raise Fault(
                            f"the areas have no '{of}' "
                            f"(they have: {', '.join(properties.schema.names)})",
                            "add",
                            name,
                        )
                    if name in schema.names or name.startswith("_"):
                        raise Fault(f"its input already has a column '{name}'", "add", name)
        collector.done()
        at = len(user_columns(schema))
        for name, of in self.add.items():
            schema = schema.insert(at, pa.field(name, properties.schema.field(of).type))
            at += 1
        return schema

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        areas = _areas(self.areas)
        lat, lng = (_numbers(batch.column(name)) for name in (self.latitude, self.longitude))
        row = pa.array(found := areas.of(lat, lng), mask=found < 0)
        kept = batch
        if self.outside == "filter":
            kept, row = batch.filter(row.is_valid()), row.filter(row.is_valid())
        at = len(user_columns(batch.schema))
        for name, of in self.add.items():
            column = areas.properties.column(of).combine_chunks().take(row)
            kept = kept.add_column(at, pa.field(name, column.type), column)
            at += 1
        return Outcome(kept, filtered=batch.num_rows - kept.num_rows)


class _Areas:
    """Polygons and their properties, in the order of the file."""

    def __init__(self, shapes: Any, properties: pa.Table) -> None:
        import shapely

        self.properties = properties
        self._tree = shapely.STRtree(shapes)

    def of(self, latitude: Any, longitude: Any) -> Any:
        """The first area of each place, or -1. Each distinct place is looked up once."""
        import shapely

        known = np.isfinite(latitude) & np.isfinite(longitude)
        places = np.column_stack([longitude[known], latitude[known]])
        distinct, at = np.unique(places, axis=0, return_inverse=True)
        point, area = self._tree.query(shapely.points(distinct), predicate="intersects")
        first = np.full(len(distinct), len(self.properties), np.int64)
        np.minimum.at(first, point, area)
        first[first == len(self.properties)] = -1
        found = np.full(len(latitude), -1, np.int64)
        found[known] = first[at.ravel()]
        return found


def _numbers(column: Any) -> Any:
    return column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)


@cache
def _areas(path: str) -> _Areas:
    """Raises OSError or ValueError for a file without areas."""
    import shapely

    if path.endswith(".parquet"):
        table = parquet.read_table(path)
        head = json.loads((table.schema.metadata or {}).get(b"geo", b"{}"))
        name = head.get("primary_column")
        if name is None or head["columns"][name].get("encoding") != "WKB":
            raise ValueError(f"{path} is no GeoParquet file with WKB geometries")
        return _Areas(shapely.from_wkb(table.column(name).to_numpy()), table.drop_columns([name]))
    try:
        features = json.loads(Path(path).read_text("utf-8"))["features"]
        shapes = shapely.from_geojson([json.dumps(one["geometry"]) for one in features])
        names = list(dict.fromkeys(name for one in features for name in one["properties"] or {}))
        columns = {
            name: [(one["properties"] or {}).get(name) for one in features] for name in names
        }
    except (KeyError, TypeError, ValueError, shapely.errors.GEOSException) as error:
        raise ValueError(f"{path} is no GeoJSON FeatureCollection: {error}") from None
    return _Areas(shapes, pa.table(columns))
