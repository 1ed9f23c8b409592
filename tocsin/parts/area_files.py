"""Files of areas: GeoJSON and GeoParquet."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from tocsin.foundation.sandbox import pinned
from tocsin.kernels.geo.areas import Areas
from tocsin.kernels.geo.reference_systems import to_wgs_84

_LOG = logging.getLogger("tocsin.areas")
# The most bytes of a file in a job that is not trusted.
_LARGEST = 32 << 20
_UNKNOWN = object()  # a crs that the file says is unknown


@dataclass(frozen=True)
class AreaFile:
    """Areas and their properties, one row for each area, in the order of the file."""

    areas: Areas
    properties: pa.Table


@cache
def read_areas(path: str) -> AreaFile:
    """The areas of a GeoJSON or GeoParquet (.parquet) file, in degrees of WGS 84.

    Coordinates of another system (`crs`) are converted if pyproj is installed. A feature without a
    geometry (RFC 7946, 3.2) contains no place; a warning counts them.

    Raises:
        OSError: for a file that cannot be opened.
        ValueError: with the file's name, for all other files without usable areas.
    """
    shapes, crs, properties = (_geoparquet if path.endswith(".parquet") else _geojson)(path)
    try:
        shapes = _located(shapes, crs)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    _warn_of_missing(path, shapes)
    return AreaFile(Areas(shapes), properties)


def _geojson(path: str) -> tuple[Any, Any, pa.Table]:
    import shapely

    with pinned(path, most=_LARGEST) as opened:
        text = Path(opened).read_bytes()
    try:
        content = json.loads(text)
        features = content["features"]
        shapes = [one.get("geometry") for one in features]
        rows = [one.get("properties") or {} for one in features]
        names = list(dict.fromkeys(name for row in rows for name in row))
        properties = pa.table({name: [row.get(name) for row in rows] for name in names})
        crs = content.get("crs")
        if crs is not None:
            crs = crs.get("properties", {}).get("name", _UNKNOWN)
        known = [None if one is None else json.dumps(one) for one in shapes]
        return shapely.from_geojson(np.array(known, object)), crs, properties
    except (
        AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError,
        pa.ArrowException, shapely.errors.GEOSException,
    ) as error:  # fmt: skip
        why = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise ValueError(f"{path} is no GeoJSON FeatureCollection: {why}") from None


def _geoparquet(path: str) -> tuple[Any, Any, pa.Table]:
    import shapely

    if not Path(path).is_file():
        raise FileNotFoundError(2, "No such file or directory", path)
    try:
        with pinned(path, most=_LARGEST) as opened:
            table = parquet.read_table(opened)
        head = json.loads((table.schema.metadata or {}).get(b"geo", b"{}"))
        name = head["primary_column"]
        column = head["columns"][name]
        # Other encodings are lists of coordinates, which are no bytes: a TypeError.
        shapes = shapely.from_wkb(table.column(name).to_numpy())
    except (
        AttributeError, KeyError, TypeError, ValueError, OSError, pa.ArrowException,
        shapely.errors.GEOSException,
    ) as error:  # fmt: skip
        raise ValueError(f"{path} is no GeoParquet file with WKB geometries: {error}") from None
    crs = column.get("crs", "OGC:CRS84")
    return shapes, _UNKNOWN if crs is None else crs, table.drop_columns([name])


def _located(shapes: Any, crs: Any) -> Any:
    """The shapes in degrees of WGS 84, None for empty ones. Raises ValueError."""
    import shapely

    shapes = np.where(shapely.is_empty(shapes), None, shapes)
    if shapely.is_missing(shapes).all():
        raise ValueError("no feature has a geometry")
    if crs is _UNKNOWN:
        raise ValueError("its coordinate system (crs) is not named; convert the file to WGS 84")
    if crs is not None:
        shapes = to_wgs_84(shapes, crs)
    x, y = shapely.get_coordinates(shapes).T
    wrong = np.flatnonzero(~((np.abs(y) <= 90) & (np.abs(x) <= 540)))
    if len(wrong):
        raise ValueError(
            f"({x[wrong[0]]:g}, {y[wrong[0]]:g}) is no longitude and latitude of WGS 84, "
            f"and the file names no other coordinate system (crs)"
        )
    return shapes


def _warn_of_missing(path: str, shapes: Any) -> None:
    missing = sum(shape is None for shape in shapes)
    if missing:
        _LOG.warning("%s: features without a geometry: %d of %d", path, missing, len(shapes))
