"""Coordinate reference systems (crs) of GeoJSON and GeoParquet, and conversion to WGS 84.

Sources: GeoJSON 2008 (`crs`; RFC 7946 has WGS 84 only), GeoParquet 1.1 (PROJJSON).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

_CODE = re.compile(r"[A-Z]{2,10}:[A-Z0-9_.-]{1,20}", re.IGNORECASE)
_WGS_84 = {"OGC:CRS84", "OGC:CRS84H", "EPSG:4326", "EPSG:4979"}


def name_of(crs: Any) -> str:
    """The name of a crs: `EPSG:2154` where it has an authority and a code.

    Args:
        crs: a PROJJSON object, or a name, URN or URL.
    """
    if isinstance(crs, dict):
        known = crs.get("id") or {}
        if "authority" in known and "code" in known:
            return f"{known['authority']}:{known['code']}".upper()
        return str(crs.get("name", "a coordinate system without a name"))
    text = str(crs)
    found = re.fullmatch(r"urn:ogc:def:crs:([^:]+):[^:]*:([^:]+)", text, re.IGNORECASE)
    found = found or re.fullmatch(r"https?://\S+/crs/([^/]+)/[^/]+/([^/]+)", text)
    return f"{found[1]}:{found[2]}".upper() if found else text


def is_wgs_84(crs: Any) -> bool:
    """Whether coordinates of a crs are longitudes and latitudes of WGS 84."""
    return name_of(crs).upper() in _WGS_84


def to_wgs_84(shapes: Any, crs: Any) -> Any:
    """The shapes in degrees of WGS 84, longitude first.

    Args:
        shapes: an array of shapely geometries or None, x before y.
        crs: their coordinate system, as for `name_of`.

    Raises:
        ValueError: without pyproj, for a crs that it does not know, and for coordinates outside
            the crs.
    """
    if is_wgs_84(crs):
        return shapes
    import shapely

    name = name_of(crs)
    try:
        import pyproj
    except ImportError:
        raise ValueError(
            f"its coordinates are {name}, not WGS 84; `pip install 'tocsin[geo]'` to convert them"
        ) from None
    if "transformation" in crs if isinstance(crs, dict) else not _CODE.fullmatch(name):
        # PROJ's own syntax names files of grids, which it would open.
        raise ValueError(
            f"its coordinate system '{name[:100]}' has no authority and code, such as EPSG:2154"
        )
    try:
        source = pyproj.CRS.from_user_input(crs if isinstance(crs, dict) else name)
        convert = pyproj.Transformer.from_crs(source, "OGC:CRS84", always_xy=True)
    except pyproj.exceptions.ProjError as error:
        raise ValueError(f"pyproj cannot convert its coordinate system {name}: {error}") from None
    found = shapely.transform(
        np.array(shapes, object), lambda xy: np.column_stack(convert.transform(*xy.T))
    )
    if not np.isfinite(shapely.get_coordinates(found)).all():
        raise ValueError(f"some of its coordinates lie outside its coordinate system {name}")
    return found
