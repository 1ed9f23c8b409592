"""Point geometry as GeoParquet stores it, so that map software opens a file directly."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Floats
from tocsin.kernels.geo.space import is_position

COLUMN = "geometry"
# A point in little-endian WKB: byte order, type 1, longitude, latitude.
_POINT = np.dtype([("order", "u1"), ("type", "<u4"), ("x", "<f8"), ("y", "<f8")])


def with_points(table: pa.Table, latitude: str, longitude: str) -> pa.Table:
    """The table with a column `geometry` of WKB points and the metadata of GeoParquet 1.1.

    Points are WGS 84, longitude first. A point is null where a coordinate is missing or out of
    range. If the points lie on both sides of the 180th meridian, within 180 degrees, the box is the
    small one: its west is greater than its east.

    Args:
        table: any table.
        latitude: column with degrees north.
        longitude: column with degrees east.

    Sources: GeoParquet specification, version 1.1.0; RFC 7946, 5.2.
    """
    y, x = (
        table.column(name)
        .combine_chunks()
        .cast(pa.float64())
        .fill_null(np.nan)
        .to_numpy(zero_copy_only=False)
        for name in (latitude, longitude)
    )
    known = is_position(y, x)
    points = np.zeros(len(x), _POINT)
    points["order"], points["type"], points["x"], points["y"] = (
        1,
        1,
        np.where(known, x, 0.0),
        np.where(known, y, 0.0),
    )
    fixed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(_POINT.itemsize), len(points), [None, pa.py_buffer(points.tobytes())]
    )
    column = fixed.cast(pa.binary()).take(pa.array(np.arange(len(points)), mask=~known))
    about: dict[str, object] = {"encoding": "WKB", "geometry_types": ["Point"]}
    if known.any():
        west, east = _extent(x[known])
        about["bbox"] = [west, float(y[known].min()), east, float(y[known].max())]
    geo = {"version": "1.1.0", "primary_column": COLUMN, "columns": {COLUMN: about}}
    found = table.append_column(COLUMN, column)
    return found.replace_schema_metadata(
        {**(table.schema.metadata or {}), b"geo": json.dumps(geo).encode()}
    )


def _extent(longitude: Floats) -> tuple[float, float]:
    """The westernmost and the easternmost longitude, the first greater across 180 degrees."""
    ordered = np.unique(longitude)
    gaps = np.diff(ordered)
    if len(gaps) and gaps.max() > 180:
        at = int(gaps.argmax())
        return float(ordered[at + 1]), float(ordered[at])
    return float(ordered[0]), float(ordered[-1])
