"""H3 cells, distances and neighbours. Latitudes and longitudes are degrees of WGS 84."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Booleans, Floats, Int64s

_EARTH = 6_371_008.8
"""Mean radius in metres (IUGG)."""


def is_position(latitude: Floats, longitude: Floats) -> Booleans:
    """Whether each place is a position: latitudes to 90 degrees, longitudes to 180, no NaN."""
    found: Booleans = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
    return found


def cells(latitude: Floats, longitude: Floats, resolution: int) -> Any:
    """The H3 cell of each place, as text. Each distinct place is looked up once.

    Null where a coordinate is missing or out of range.

    Args:
        latitude: degrees.
        longitude: degrees.
        resolution: from 0 to 15.
    """
    import h3

    known = is_position(latitude, longitude)
    places = np.column_stack([latitude[known], longitude[known]])
    distinct, at = np.unique(places, axis=0, return_inverse=True)
    names = [h3.latlng_to_cell(lat, lng, resolution) for lat, lng in distinct.tolist()]
    rows = np.zeros(len(latitude), np.int64)
    rows[known] = at.ravel()
    return pa.array(names or [""], pa.string()).take(pa.array(rows, mask=~known))


def cell_centre(names: Any) -> tuple[Floats, Floats]:
    """Latitude and longitude of each cell's centre, degrees.

    NaN for null and for a text that is not an H3 cell.

    Args:
        names: H3 cells, a string array.
    """
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
    """Check that H3 has the resolution.

    Raises:
        ValueError: unless it is a whole number from 0 to 15.
    """
    if not isinstance(resolution, int) or not 0 <= resolution <= 15:
        raise ValueError(
            f"{resolution} is no resolution of H3: a whole number from 0 to 15 "
            "(8: 0.7 km2, 9: 0.1 km2)"
        )


def distance(
    latitude: Floats, longitude: Floats, to_latitude: Floats, to_longitude: Floats
) -> Floats:
    """The great-circle distance in metres, by the haversine formula on a sphere of the mean radius.

    NaN where a coordinate is missing or out of range.
    """
    known = is_position(latitude, longitude) & is_position(to_latitude, to_longitude)
    first, second = np.radians(latitude), np.radians(to_latitude)
    with np.errstate(invalid="ignore"):  # infinite coordinates
        east = np.sin(np.radians(to_longitude - np.asarray(longitude)) / 2) ** 2
        across = np.sin((second - first) / 2) ** 2 + np.cos(first) * np.cos(second) * east
    return np.where(known, 2 * _EARTH * np.arcsin(np.sqrt(np.clip(across, 0, 1))), np.nan)


def neighbours(latitude: Floats, longitude: Floats, radius: float) -> tuple[Int64s, Int64s]:
    """All pairs of places within `radius` metres, in both directions, sorted.

    A tree over boxes finds candidates, and the great-circle distance decides. A box that reaches
    beyond 180 degrees continues on the other side. A place that is no position has no neighbours.

    Returns:
        The row numbers of each pair's first and second place.
    """
    known = np.flatnonzero(is_position(latitude, longitude))
    lat, lng = latitude[known], longitude[known]
    here, there = _candidates(lat, lng, radius)
    near = (here != there) & (distance(lat[here], lng[here], lat[there], lng[there]) <= radius)
    # A box around a pole finds a place on either side of 180 degrees.
    pairs = np.unique(here[near] * len(known) + there[near])
    return known[pairs // max(len(known), 1)], known[pairs % max(len(known), 1)]


def _candidates(lat: Floats, lng: Floats, radius: float) -> tuple[Int64s, Int64s]:
    """Pairs of places that may be within the radius, some of them twice."""
    import shapely

    # The most degrees that the radius spans at each place, with a margin for rounding.
    north = np.degrees(radius / _EARTH) * 1.000001
    east = north / np.maximum(np.cos(np.radians(np.minimum(np.abs(lat) + north, 89.999))), 1e-6)
    east = np.minimum(east, 360.0)
    tree = shapely.STRtree(shapely.points(lng, lat))
    here, there = [], []
    for turn in (0.0, 360.0, -360.0):
        west, up_to = lng - east + turn, lng + east + turn
        rows = np.flatnonzero((up_to >= -180) & (west <= 180))
        boxes = shapely.box(west[rows], lat[rows] - north, up_to[rows], lat[rows] + north)
        box, place = tree.query(boxes)
        here.append(rows[box])
        there.append(place)
    return np.concatenate(here), np.concatenate(there)


def buddy_check(
    x: Floats,
    pairs: tuple[Int64s, Int64s],
    least: int,
    threshold: float,
    smallest_deviation: float,
    rounds: int,
    shift: Floats | None = None,
) -> tuple[Any, Int64s, Floats]:
    """Flags of values that differ from their neighbours' values.

    A value is flagged if `|x - mean| / max(sqrt(var + var / n), smallest_deviation) > threshold`.
    The next round leaves flagged neighbours out.

    Args:
        x: one value for each place; NaN is missing.
        pairs: pairs of neighbours, as `neighbours` gives them.
        least: a value with fewer neighbours is not flagged.
        threshold: in standard deviations.
        smallest_deviation: lower bound of the deviation, in the unit of `x`.
        rounds: the greatest number of rounds.
        shift: for each pair, added to the neighbour's value (such as a gradient with elevation).

    Returns:
        The flags (boolean), the number of neighbours that counted, and their mean.

    Source: titanlib, buddy check (TITAN automatic spatial quality control of meteorological in-situ
    observations, Adv. Sci. Res. 17, 2020).
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
