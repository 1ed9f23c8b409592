"""A small lake of hourly files: three days of locks, and the same rows by lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import SYSTEM_FIELDS, readings_schema, timestamps
from tocsin.lake.query import open_lake
from tocsin.parts.registry import find

HOUR, DAY = 3_600_000_000, 86_400_000_000
START = 1_772_409_600_000_000  # 2026-03-02T00:00Z
FIELDS = [
    pa.field("lock_id", pa.string()),
    pa.field("value", pa.float64()),
    pa.field("lat", pa.float64()),
    pa.field("lng", pa.float64()),
]
SCHEMA = readings_schema(FIELDS, topic="city.locks", allowed_lateness=0)
ROWS = 6
"""Rows of an hour."""


def batch_of(hour: int) -> pa.RecordBatch:
    times = START + hour * HOUR + np.arange(ROWS, dtype=np.int64) * 60_000_000
    columns = [
        pa.array([f"l-{at % 3}" for at in range(ROWS)]),
        pa.array(np.arange(ROWS) + hour * 100.0),
        pa.array([48.1, 48.2, None, 48.4, 48.5, 48.6]),
        pa.array([-1.6] * ROWS),
        timestamps(times),
        timestamps(times - HOUR),
        pa.array([0] * ROWS, pa.int32()),
        pa.array(hour * ROWS + np.arange(ROWS)),
        pa.array([0] * ROWS, pa.int32()),
    ]
    assert len(columns) == len(FIELDS) + len(SYSTEM_FIELDS)
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def write_three_days(folder: Path) -> Path:
    """`locks` with a geometry and a retention of two days, and `others` by date and lock."""
    locks = find("write", "write_to_lake")(
        lake=str(folder), dataset="locks", span="1 h", geometry=["lat", "lng"], retention="2 d"
    )
    others = find("write", "write_to_lake")(
        lake=str(folder), dataset="others", span="1 h", partition_by=["date", "lock_id"]
    )
    for hour in range(72):
        for sink in (locks, others):
            sink.write(batch_of(hour), f"{START + hour * HOUR}.s000.r0")
            sink.flush()
    return folder


def rows_of(lake: Path, name: str) -> list[Any]:
    """lock_id, value and offset of a dataset's newest rows, sorted."""
    connection, _ = open_lake(lake)
    found: list[Any] = connection.execute(
        f"select lock_id, value, _offset from {name} order by all"
    ).fetchall()
    return found


def partitioned(places: pa.Array, topic: str = "city.locks", at: int = START) -> pa.RecordBatch:
    """Readings of one moment with a column `place`; the value is the number of the row.

    at: microseconds since 1970.
    """
    count = len(places)
    fields = [pa.field("place", places.type), pa.field("value", pa.float64())]
    numbers = np.arange(count, dtype=np.int64)
    columns = [
        places,
        pa.array(numbers.astype(float)),
        timestamps(np.full(count, at)),
        timestamps(np.full(count, at)),
        pa.array([0] * count, pa.int32()),
        pa.array(numbers),
        pa.array([0] * count, pa.int32()),
    ]
    schema = readings_schema(fields, topic=topic, allowed_lateness=0)
    return pa.RecordBatch.from_arrays(columns, schema=schema)
