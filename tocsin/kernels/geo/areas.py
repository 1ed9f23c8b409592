"""Areas and the places in them. Degrees of WGS 84; an area may cross the 180th meridian."""

from __future__ import annotations

from typing import Any

import numpy as np

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.geo.space import is_position


class Areas:
    """Polygons in the order of their file. None and empty shapes contain no place.

    Polygons may cross the 180th meridian in three ways: cut in two, with longitudes beyond 180, or
    with an edge from 179 to -179, which takes the short way.
    """

    def __init__(self, shapes: Any) -> None:
        import shapely

        self._size = len(shapes)
        shapes = across_180(shapes)
        self._west, _, self._east, _ = shapely.total_bounds(shapes)
        self._tree = shapely.STRtree(shapes)

    def of(self, latitude: Floats, longitude: Floats) -> Int64s:
        """The first area of each place, or -1 for a place in no area and for no position.

        Borders belong to an area. Each distinct place is looked up once.
        """
        known = is_position(latitude, longitude)
        places = np.column_stack([longitude[known], latitude[known]])
        distinct, at = np.unique(places, axis=0, return_inverse=True)
        first = np.full(len(distinct), self._size, np.int64)
        for turn in (0.0, 360.0, -360.0):
            lng = distinct[:, 0] + turn
            near = np.flatnonzero((lng >= self._west) & (lng <= self._east))
            self._lower(first, near, lng[near], distinct[near, 1])
        first[first == self._size] = -1
        found = np.full(len(latitude), -1, np.int64)
        found[known] = first[at.ravel()]
        return found

    def _lower(self, first: Int64s, rows: Int64s, x: Floats, y: Floats) -> None:
        """Lower `first` of some rows to the first area of (x, y)."""
        import shapely

        point, area = self._tree.query(shapely.points(x, y), predicate="intersects")
        np.minimum.at(first, rows[point], area)


def across_180(shapes: Any) -> Any:
    """The shapes with continuous longitudes: rings across the 180th meridian exceed it.

    RFC 7946 asks writers to cut such polygons in two, but many write a ring from 179 to -179. An
    edge of more than 180 degrees therefore takes the short way; only an edge of all 360 degrees is
    as wide as it looks. A ring around a pole stays as it is.

    Args:
        shapes: an array of shapely geometries or None.
    """
    import shapely

    found = np.array(shapes, object)
    bounds = shapely.bounds(found)
    for at in np.flatnonzero(bounds[:, 2] - bounds[:, 0] > 180):
        parts = shapely.get_parts(found[at])
        if not (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON).all():
            continue
        polygons = [_polygon(part) for part in parts]
        found[at] = polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)
    return found


def _polygon(polygon: Any) -> Any:
    import shapely

    outer = _ring(polygon.exterior)
    holes = [_ring(hole) for hole in polygon.interiors]
    middle = (outer[:, 0].min() + outer[:, 0].max()) / 2
    for hole in holes:
        hole[:, 0] += 360 * np.round((middle - hole[:, 0].mean()) / 360)
    return shapely.Polygon(outer, holes)


def _ring(ring: Any) -> Floats:
    """The coordinates of a ring, each edge the short way."""
    import shapely

    places: Floats = shapely.get_coordinates(ring)
    steps = np.diff(places[:, 0])
    turns = np.where((np.abs(steps) > 180) & (np.abs(steps) < 360), -360 * np.sign(steps), 0.0)
    if turns.sum() == 0:
        places[1:, 0] += np.cumsum(turns)
    return places
