"""The lake that these tests maintain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.table_files import DAY, START, add, put, readings, write_hours, written
from tocsin.kernels.geo.geoparquet import with_points

RETENTION = 2 * DAY


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Three days, each with a file of every sixth hour.

    `locks` has points and a retention, `others` has neither.
    """
    root = tmp_path / "lake"
    root.mkdir()
    files = []
    for hour in range(0, 72, 6):
        rows = readings(hour, lat=[48.1, 48.2, None, 48.4, 48.5, 48.6], lng=[-1.6] * 6)
        rows = with_points(rows, "lat", "lng")
        files.append(written(root / "locks", rows, hour, retention=RETENTION))
    add(root / "locks", *files, schema=rows.schema)
    write_hours(root / "others", range(0, 72, 6))
    return root


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    """A dataset of windows whose second file revises one of three."""
    import pyarrow as pa

    root = tmp_path / "windows"
    root.mkdir()
    keys = json.dumps(["window_start", "k"])
    first = {"window_start": [0, 0, 1], "k": ["a", "b", "a"], "revision": [0, 0, 0], "x": [1, 2, 3]}
    late = {"window_start": [0], "k": ["a"], "revision": [2], "x": [9]}
    put(root / "d", pa.table(first), 0, keys=keys, offsets="{}")
    put(root / "d", pa.table(late), 0, keys=keys, offsets="{}", unit=f"{START}.s000.r1")
    return root
