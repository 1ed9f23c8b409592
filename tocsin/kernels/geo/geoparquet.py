"""Point geometry as GeoParquet stores it, so that map software opens a file directly."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

COLUMN = "geometry"
# A point in little-endian WKB: byte order, type 1, longitude, latitude.
_POINT = np.dtype([("order", "u1"), ("type", "<u4"), ("x", "<f8"), ("y", "<f8")])


def with_points(table: pa.Table, latitude: str, longitude: str) -> pa.Table:
    """The table with a column `geometry` of WKB points and the metadata of GeoParquet 1.1.

    Points are WGS 84, longitude first. A point is null where a coordinate is missing.

    Args:
        table: any table.
        latitude: column with degrees north.
        longitude: column with degrees east.

    Source: GeoParquet specification, version 1.1.0.
    """
    y, x = (
        table.column(name)
        .combine_chunks()
        .cast(pa.float64())
        .fill_null(np.nan)
        .to_numpy(zero_copy_only=False)
        for name in (latitude, longitude)
    )
    known = np.isfinite(x) & np.isfinite(y)
    points = np.zeros(len(x), _POINT)
    points["order"], points["type"], points["x"], points["y"] = (
        1,
        1,
        np.nan_to_num(x),
        np.nan_to_num(y),
    )
    fixed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(_POINT.itemsize), len(points), [None, pa.py_buffer(points.tobytes())]
    )
    column = fixed.cast(pa.binary()).take(pa.array(np.arange(len(points)), mask=~known))
    about: dict[str, object] = {"encoding": "WKB", "geometry_types": ["Point"]}
    if known.any():
        about["bbox"] = [
            float(f(values[known]))
            for f, values in ((np.min, x), (np.min, y), (np.max, x), (np.max, y))
        ]
    geo = {"version": "1.1.0", "primary_column": COLUMN, "columns": {COLUMN: about}}
    found = table.append_column(COLUMN, column)
    return found.replace_schema_metadata(
        {**(table.schema.metadata or {}), b"geo": json.dumps(geo).encode()}
    )
