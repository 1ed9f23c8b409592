"""The 180th meridian is a line like any other: results do not change when the world is turned."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.geo.areas import Areas
from tocsin.kernels.geo.geoparquet import with_points
from tocsin.kernels.geo.space import buddy_check, cells, distance, is_position, neighbours

NO_POSITIONS = [
    (-91.0, 0.0), (90.1, 10.0), (0.0, 180.1), (0.0, -181.0), (np.nan, 0.0), (0.0, np.inf),
]  # fmt: skip
# Degrees in sixteenths, which turn without rounding.
degree = st.integers(-16, 16).map(lambda n: n / 16)
crowd = st.lists(st.tuples(degree, degree), min_size=1, max_size=15)


def turned(longitude: Any, by: float) -> Any:
    """Longitudes after a turn of the world, from -180 to 180."""
    return (np.asarray(longitude) + by + 180) % 360 - 180


@given(crowd, st.sampled_from([0.0, 60.0, 85.0, -88.9]), st.floats(100, 200_000))
def test_neighbours_are_the_same_at_180_as_at_0(
    where: list[tuple[float, float]], latitude: float, radius: float
) -> None:
    lat, lng = np.array(where).T
    lat = lat + latitude
    straight = neighbours(lat, lng, radius)
    across = neighbours(lat, turned(lng, 180.0), radius)
    assert [side.tolist() for side in across] == [side.tolist() for side in straight]


@given(st.lists(st.tuples(st.floats(85, 90), st.floats(-180, 180)), min_size=2, max_size=15))
def test_neighbours_around_a_pole_equal_a_loop(where: list[tuple[float, float]]) -> None:
    lat, lng = np.array(where).T
    for sign in (1, -1):
        here, there = neighbours(sign * lat, lng, 150_000.0)
        expected = [
            (i, j)
            for i in range(len(lat))
            for j in range(len(lat))
            if i != j
            and distance(lat[i : i + 1], lng[i : i + 1], lat[j : j + 1], lng[j : j + 1])[0]
            <= 150_000
        ]
        assert list(zip(here.tolist(), there.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    "longitude",
    [[9.99, 9.995, 10.001, 10.005, 10.01], [179.99, 179.995, -179.999, -179.995, -179.99]],
)
def test_an_outlier_has_the_same_neighbours_on_both_meridians(longitude: list[float]) -> None:
    lat, lng = np.full(5, -16.8), np.array(longitude)
    x = np.array([10.0, 10.5, 9.5, 10.2, 60.0])
    far, count, _ = buddy_check(x, neighbours(lat, lng, 5000.0), 3, 4.0, 1.0, 3)
    assert far.tolist() == [False, False, False, False, True]
    assert count.tolist() == [3, 3, 3, 3, 4]


RING = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (0.5, 1.0), (0.5, 0.5), (-1.0, 0.5), (-1.0, -1.0)]
HOLE = [(-0.5, -0.5), (0.25, -0.5), (0.25, 0.25), (-0.5, 0.25), (-0.5, -0.5)]


def _written(way: str, by: float) -> Any:
    """The ring with its hole, turned by some degrees and written in one of the ways."""
    if way == "beyond":
        return shapely.Polygon(*[[(x + by, y) for x, y in RING], [[(x + by, y) for x, y in HOLE]]])
    if way == "short way":
        outer, hole = ([(float(turned(x, by)), y) for x, y in ring] for ring in (RING, HOLE))
        return shapely.Polygon(outer, [hole])
    whole = shapely.Polygon([(x + by, y) for x, y in RING], [[(x + by, y) for x, y in HOLE]])
    west = whole.intersection(shapely.box(0, -90, 180, 90))
    east = shapely.transform(
        whole.intersection(shapely.box(180, -90, 360, 90)), lambda xy: xy - [360, 0]
    )
    parts = [*shapely.get_parts(west), *shapely.get_parts(east)]
    return shapely.multipolygons([part for part in parts if part.geom_type == "Polygon"])


@pytest.mark.parametrize("way", ["beyond", "short way", "cut"])
@given(crowd, st.sampled_from([179.25, 179.5, 180.0, 180.75]))
def test_areas_across_180_hold_the_same_places(
    way: str, where: list[tuple[float, float]], by: float
) -> None:
    lat, lng = np.array(where).T
    plain = Areas(np.array([None, shapely.Polygon(RING, [HOLE])], object)).of(lat, lng)
    across = Areas(np.array([None, _written(way, by)], object))
    assert across.of(lat, turned(lng, by)).tolist() == plain.tolist()


def test_both_names_of_the_meridian_lie_in_an_area_that_ends_there() -> None:
    for box in (shapely.box(170, -10, 180, 10), shapely.box(-180, -10, -170, 10)):
        found = Areas(np.array([box], object)).of(np.zeros(3), np.array([180.0, -180.0, 0.0]))
        assert found.tolist() == [0, 0, -1]


def test_an_area_as_wide_as_the_world_stays_so() -> None:
    areas = Areas(np.array([shapely.box(-180, -90, 180, 90)], object))
    assert areas.of(np.array([0.0, 80.0]), np.array([0.0, -179.0])).tolist() == [0, 0]


@pytest.mark.parametrize(("latitude", "longitude"), NO_POSITIONS)
def test_what_is_no_position_is_nowhere(latitude: float, longitude: float) -> None:
    lat, lng = np.array([latitude, 0.0]), np.array([longitude, 0.0])
    assert is_position(lat, lng).tolist() == [False, True]
    assert cells(lat, lng, 5).is_valid().to_pylist() == [False, True]
    assert np.isnan(distance(lat, lng, np.zeros(2), np.zeros(2))).tolist() == [True, False]
    assert np.isnan(distance(np.zeros(2), np.zeros(2), lat, lng)).tolist() == [True, False]
    assert [len(side) for side in neighbours(lat, lng, 200_000.0)] == [0, 0]
    world = Areas(np.array([shapely.box(-180, -90, 180, 90)], object))
    assert world.of(lat, lng).tolist() == [-1, 0]
    table = with_points(pa.table({"lat": lat, "lng": lng}), "lat", "lng")
    assert table.column("geometry").is_valid().to_pylist() == [False, True]


@pytest.mark.parametrize(
    ("longitudes", "west", "east"),
    [
        ([10.0, 9.0, 11.0], 9.0, 11.0),
        ([179.0, -179.5, 178.0], 178.0, -179.5),
        ([180.0], 180.0, 180.0),
        ([-122.0, 2.0, 139.0], -122.0, 139.0),
        ([-179.0, 0.0, 179.0], -179.0, 179.0),
    ],
)
def test_the_box_of_points_is_the_small_one(
    longitudes: list[float], west: float, east: float
) -> None:
    table = pa.table({"lat": np.arange(len(longitudes)) * 1.0, "lng": longitudes})
    geo = json.loads(with_points(table, "lat", "lng").schema.metadata[b"geo"])
    box = geo["columns"]["geometry"]["bbox"]
    assert box == [west, 0.0, east, len(longitudes) - 1.0]
