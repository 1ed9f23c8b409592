"""Cells, areas and neighbours on the earth. Latitudes and longitudes are degrees of WGS 84."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Floats, Int64s

_EARTH = 6_371_008.8
"""Mean radius in metres (IUGG)."""


def cells(latitude: Floats, longitude: Floats, resolution: int) -> Any:
    """H3 cells as text; null where a coordinate is missing or out of range. Each different place is looked up once."""
    import h3

    known = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
    places = np.column_stack([latitude[known], longitude[known]])
    distinct, at = np.unique(places, axis=0, return_inverse=True)
    names = [h3.latlng_to_cell(lat, lng, resolution) for lat, lng in distinct.tolist()]
    rows = np.zeros(len(latitude), np.int64)
    rows[known] = at.ravel()
    return pa.array(names or [""], pa.string()).take(pa.array(rows, mask=~known))


def cell_centre(names: Any) -> tuple[Floats, Floats]:
    """Latitude and longitude of the centres of H3 cells, given as text; NaN for null and for what is no cell."""
    import h3

    coded = names.dictionary_encode()
    distinct = coded.dictionary.to_numpy(zero_copy_only=False).tolist()
    places = [
        h3.cell_to_latlng(name) if h3.is_valid_cell(name) else (np.nan, np.nan) for name in distinct
    ]
    latitude, longitude = np.array([*places, (np.nan, np.nan)]).T
    at = coded.indices.fill_null(len(places)).to_numpy(zero_copy_only=False)
    return latitude[at], longitude[at]


def check_resolution(resolution: Any) -> None:
    """Raises ValueError for a resolution that H3 has not."""
    if not isinstance(resolution, int) or not 0 <= resolution <= 15:
        raise ValueError(
            f"{resolution} is no resolution of H3: a whole number from 0 to 15 (8: 0.7 km2, 9: 0.1 km2)"
        )


def distance(
    latitude: Floats, longitude: Floats, to_latitude: Floats, to_longitude: Floats
) -> Floats:
    """Metres along a great circle (haversine formula on a sphere)."""
    first, second = np.radians(latitude), np.radians(to_latitude)
    across = np.sin((second - first) / 2) ** 2
    across = (
        across
        + np.cos(first)
        * np.cos(second)
        * np.sin(np.radians(to_longitude - np.asarray(longitude)) / 2) ** 2
    )
    return np.asarray(2 * _EARTH * np.arcsin(np.sqrt(np.clip(across, 0, 1))))


def neighbours(latitude: Floats, longitude: Floats, radius: float) -> tuple[Int64s, Int64s]:
    """Pairs of different places that are no further apart than `radius` metres, each pair both ways, in order.

    Places without coordinates have none. A tree over boxes finds candidates, the great circle decides.
    """
    import shapely

    known = np.flatnonzero(np.isfinite(latitude) & np.isfinite(longitude))
    lat, lng = latitude[known], longitude[known]
    # Degrees that the radius spans at most at each place, with room for the rounding.
    north = np.degrees(radius / _EARTH) * 1.000001
    east = north / np.maximum(np.cos(np.radians(np.minimum(np.abs(lat) + north, 89.999))), 1e-6)
    tree = shapely.STRtree(shapely.points(lng, lat))
    boxes = shapely.box(lng - east, lat - north, lng + east, lat + north)
    here, there = tree.query(boxes)
    near = (here != there) & (distance(lat[here], lng[here], lat[there], lng[there]) <= radius)
    order = np.lexsort((there[near], here[near]))
    return known[here[near][order]], known[there[near][order]]


def buddy_check(
    x: Floats, pairs: tuple[Int64s, Int64s], least: int, threshold: float, smallest_deviation: float, rounds: int,
    shift: Floats | None = None,
) -> tuple[Any, Int64s, Floats]:  # fmt: skip
    """Whether each value is far from those of its neighbours; the number of neighbours that counted; and their mean.

    A value is flagged when `|x - mean| / max(sqrt(var + var / n), smallest_deviation) > threshold` and it has `least` neighbours.
    Flagged ones are left out in the next round. shift: what is added to a neighbour's value, a pair. Source: titanlib, buddy
    check (TITAN automatic spatial quality control of meteorological in-situ observations, Adv. Sci. Res. 17, 2020).
    """
    here, there = pairs
    far = np.zeros(len(x), bool)
    count, mean = np.zeros(len(x), np.int64), np.full(len(x), np.nan)
    for _ in range(rounds):
        seen = ~far[there] & np.isfinite(x[there])
        who, values = here[seen], x[there[seen]] + (0.0 if shift is None else shift[seen])
        count = np.bincount(who, minlength=len(x))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(who, values, len(x)) / count
            away = values - mean[who]
            variance = np.bincount(who, away * away, len(x)) / count
            deviation = np.maximum(np.sqrt(variance + variance / count), smallest_deviation)
            found = (count >= least) & (np.abs(x - mean) / deviation > threshold)
        if not (found & ~far).any():
            break
        far |= found
    return far, count, mean
