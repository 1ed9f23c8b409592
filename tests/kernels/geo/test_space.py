"""Cells, neighbours and the buddy check against loops; distances against published values."""

from __future__ import annotations

from typing import Any

import h3
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.geo.space import (
    buddy_check,
    cell_centre,
    cells,
    check_resolution,
    distance,
    neighbours,
)


def test_distances_and_cells() -> None:
    # Paris to London, and a degree of latitude.
    assert distance(
        np.array([48.8567]), np.array([2.3508]), np.array([51.5074]), np.array([-0.1278])
    )[0] == pytest.approx(343_500, rel=2e-3)
    assert distance(np.array([0.0]), np.array([0.0]), np.array([1.0]), np.array([0.0]))[
        0
    ] == pytest.approx(111_195, rel=1e-4)
    found = cells(
        np.array([48.1, np.nan, 48.1, 91.0]), np.array([-1.67, 0.0, -1.67, 0.0]), 8
    ).to_pylist()
    assert found == [
        h3.latlng_to_cell(48.1, -1.67, 8),
        None,
        h3.latlng_to_cell(48.1, -1.67, 8),
        None,
    ]
    assert cells(np.array([np.nan]), np.array([0.0]), 8).to_pylist() == [None]


def test_a_cells_centre_lies_in_the_cell() -> None:
    cell = h3.latlng_to_cell(48.1, -1.67, 7)
    latitude, longitude = cell_centre(pa.array([cell, None, "nowhere", cell]))
    assert (latitude[0], longitude[0]) == h3.cell_to_latlng(cell)
    assert cells(latitude, longitude, 7).to_pylist() == [cell, None, None, cell]
    assert [len(one) for one in cell_centre(pa.array([], pa.string()))] == [0, 0]
    assert np.isnan(cell_centre(pa.nulls(2, pa.string()))).all()


places = st.lists(st.tuples(st.floats(-89, 89), st.floats(-179, 179)), min_size=1, max_size=20)
crowd = st.lists(st.tuples(st.floats(60, 60.02), st.floats(10, 10.04)), min_size=1, max_size=20)


@given(places | crowd, st.floats(10, 20_000))
def test_neighbours_equal_a_loop(where: list[tuple[float, float]], radius: float) -> None:
    lat, lng = np.array(where).T
    lat = np.r_[lat, np.nan]
    lng = np.r_[lng, 0.0]
    here, there = neighbours(lat, lng, radius)
    expected = [
        (i, j)
        for i in range(len(where))
        for j in range(len(where))
        if i != j
        and distance(lat[i : i + 1], lng[i : i + 1], lat[j : j + 1], lng[j : j + 1])[0] <= radius
    ]
    assert list(zip(here.tolist(), there.tolist(), strict=True)) == expected


@given(
    st.lists(st.integers(-20, 20).map(float) | st.just(float("nan")), min_size=2, max_size=12),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_the_buddy_check_equals_a_loop(values: list[float], least: int, rounds: int) -> None:
    x, size = np.array(values), len(values)
    pairs = [(i, j) for i in range(size) for j in range(size) if i != j and abs(i - j) <= 4]
    found, count, mean = buddy_check(x, tuple(np.array(pairs).T), least, 2.0, 1.0, rounds)  # type: ignore[arg-type]
    far = [False] * size
    seen: list[int] = []
    for _ in range(rounds):
        new, seen, about = list(far), [], []
        for i in range(size):
            others = [x[j] for a, j in pairs if a == i and not far[j] and np.isfinite(x[j])]
            seen.append(len(others))
            about.append(np.mean(others) if others else np.nan)
            if others:
                variance = float(np.var(others))
                deviation = max(np.sqrt(variance + variance / len(others)), 1.0)
                if len(others) >= least and abs(x[i] - about[-1]) / deviation > 2.0 + 1e-12:
                    new[i] = True
        if new == far:
            break
        far = new
    assert found.tolist() == far
    assert count.tolist() == seen
    assert np.allclose(mean, about, equal_nan=True)


def test_the_buddy_check_shifts_values_by_elevation() -> None:
    # 1000 m of elevation are 6.5 degrees: after the shift all values agree.
    x, heights = np.array([20.0, 20.1, 13.5, 19.9]), np.array([0.0, 0.0, 1000.0, 0.0])
    here, there = (
        np.array(side)
        for side in zip(*[(i, j) for i in range(4) for j in range(4) if i != j], strict=True)
    )
    shift = (heights[here] - heights[there]) * -0.0065
    assert buddy_check(x, (here, there), 3, 3.0, 0.5, 3)[0].tolist() == [False, False, True, False]
    assert not buddy_check(x, (here, there), 3, 3.0, 0.5, 3, shift)[0].any()


def test_a_place_exactly_at_the_radius_is_a_neighbour() -> None:
    """The candidates are a little more than the radius, because degrees are rounded."""
    north = np.array([48.0, 48.01])
    east = np.zeros(2)
    for latitude, longitude in ((north, east), (east, north), (north + 30, north)):
        radius = float(distance(latitude[:1], longitude[:1], latitude[1:], longitude[1:])[0])
        here, there = neighbours(latitude, longitude, radius)
        assert (here.tolist(), there.tolist()) == ([0, 1], [1, 0])
        assert not len(neighbours(latitude, longitude, radius * 0.999)[0])


@pytest.mark.parametrize("resolution", range(16))
def test_h3_has_sixteen_resolutions(resolution: int) -> None:
    check_resolution(resolution)


@pytest.mark.parametrize("resolution", [-1, 16, 8.0, "8", None])
def test_others_are_refused(resolution: Any) -> None:
    with pytest.raises(ValueError, match="no resolution of H3"):
        check_resolution(resolution)
