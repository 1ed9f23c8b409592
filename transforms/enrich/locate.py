"""The area that contains a place."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from tocsin.api.transform import (
    Collector,
    DataFile,
    Fault,
    Outcome,
    Param,
    Transform,
    need_columns,
    read_areas,
    user_columns,
)


class Locate(Transform):
    """Adds properties of the area that contains each row's place: a point-in-polygon join.

    The areas are GeoJSON or GeoParquet. The borders of an area belong to it. If areas overlap, the
    first in the file counts. A place in no area, or without a position, gets nulls or is filtered:
    an area is then a geofence. No position are missing coordinates, latitudes beyond 90 and
    longitudes beyond 180 degrees.

    Coordinates of the file are WGS 84 (RFC 7946), or of the system that its `crs` names if pyproj
    is installed (`pip install "tocsin[geo]"`). Areas may cross the 180th meridian: an edge of more
    than 180 degrees takes the short way. Features without a geometry contain no place.
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
                properties = read_areas(self.areas).properties
            except (OSError, ValueError) as error:
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
        file = read_areas(self.areas)
        lat, lng = (_numbers(batch.column(name)) for name in (self.latitude, self.longitude))
        row = pa.array(found := file.areas.of(lat, lng), mask=found < 0)
        kept = batch
        if self.outside == "filter":
            kept, row = batch.filter(row.is_valid()), row.filter(row.is_valid())
        at = len(user_columns(batch.schema))
        for name, of in self.add.items():
            column = file.properties.column(of).combine_chunks().take(row)
            kept = kept.add_column(at, pa.field(name, column.type), column)
            at += 1
        return Outcome(kept, filtered=batch.num_rows - kept.num_rows)


def _numbers(column: Any) -> Any:
    return column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
