"""Seeded readings for laws, plain and difficult."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import SYSTEM_FIELDS, Floats, readings_schema, timestamps

START = 1_772_409_600_000_000


def series(seed: int, size: int = 60, *, missing: bool = True) -> Floats:
    """Values around 20 with repeats and jumps, and with NaN unless `missing` is false."""
    random = np.random.default_rng(seed)
    values = np.round(random.normal(20, 5, size), 1)
    values[random.random(size) < 0.2] = 20.0
    values[random.random(size) < 0.05] += 80.0
    if missing:
        values[random.random(size) < 0.1] = np.nan
    return values


def batch(values: Floats, seed: int = 0, sensors: int = 3) -> pa.RecordBatch:
    """The values as readings of a few sensors, one second apart. Every second NaN becomes null."""
    size = len(values)
    random = np.random.default_rng(seed)
    nulls = np.isnan(values) & (np.arange(size) % 2 == 0)
    schema = readings_schema(
        [pa.field("sensor_id", pa.string()), pa.field("value", pa.float64())],
        topic="law",
        allowed_lateness=0,
    )
    times = START + np.arange(size, dtype=np.int64) * 1_000_000
    names = pa.array([f"s{i}" for i in random.integers(0, sensors, size)], pa.string())
    columns = [
        names,
        pa.array(values, mask=nulls),
        timestamps(times),
        pa.nulls(size, SYSTEM_FIELDS[1].type),
        pa.repeat(pa.scalar(0, pa.int32()), size),
        pa.array(np.arange(size)),
        pa.repeat(pa.scalar(0, pa.int32()), size),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def cuts(seed: int, size: int) -> list[int]:
    """Positions to cut a batch at, with both ends."""
    random = np.random.default_rng([seed, 5])
    inner = np.sort(random.integers(0, size + 1, random.integers(1, 6)))
    return [0, *inner.tolist(), size]
