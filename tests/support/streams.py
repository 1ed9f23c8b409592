"""Streams of readings for tests: partitions in batches, in any order that Kafka allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from tocsin.kernels.batch import BEGINNING, SYSTEM_FIELDS, readings_schema, timestamps
from tocsin.kernels.time.lateness import running_watermarks
from tocsin.laws.shards import Shards

__all__ = ["Shards"]
SECOND = 1_000_000
START = 1_772_445_600_000_000
LATENESS = 20 * SECOND
OUT_OF_ORDERNESS = 5 * SECOND

SCHEMA = readings_schema(
    [pa.field("sensor", pa.string()), pa.field("value", pa.float64())],
    topic="t",
    allowed_lateness=LATENESS,
)


@dataclass(frozen=True)
class Row:
    """A reading with everything that decides its lateness."""

    sensor: str
    value: float | None
    time: int
    watermark: int
    partition: int
    offset: int


def rows_of(partitions: list[list[tuple[str, int, float | None]]]) -> list[list[Row]]:
    """The rows of each partition, from (sensor, second, value) in offset order."""
    found = []
    for number, readings in enumerate(partitions):
        times = np.array([START + second * SECOND for _, second, _ in readings], np.int64)
        watermarks, _ = running_watermarks(times, BEGINNING, OUT_OF_ORDERNESS)
        found.append(
            [
                Row(sensor, value, int(time), int(watermark), number, offset)
                for offset, ((sensor, _, value), time, watermark) in enumerate(
                    zip(readings, times, watermarks, strict=True)
                )
            ]
        )
    return found


def batch_of(rows: list[Row]) -> pa.RecordBatch:
    """The rows as a batch of SCHEMA."""
    columns = [
        pa.array([row.sensor for row in rows], pa.string()),
        pa.array([row.value for row in rows], pa.float64()),
        timestamps(np.array([row.time for row in rows], np.int64)),
        timestamps(np.array([row.watermark for row in rows], np.int64)),
        pa.array([row.partition for row in rows], pa.int32()),
        pa.array([row.offset for row in rows], pa.int64()),
        pa.array([0] * len(rows), pa.int32()),
    ]
    assert len(columns) == 2 + len(SYSTEM_FIELDS)
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def deliveries(
    partitions: list[list[Row]], random: np.random.Generator
) -> list[tuple[list[Row], int]]:
    """Batches of single partitions, interleaved, each with the global watermark after it.

    The global watermark is the smallest of the partitions' watermarks, as in a runner.
    """
    at = [0] * len(partitions)
    watermarks = [BEGINNING] * len(partitions)
    found = []
    while any(a < len(rows) for a, rows in zip(at, partitions, strict=True)):
        number = int(random.choice([i for i, rows in enumerate(partitions) if at[i] < len(rows)]))
        size = int(random.integers(1, 6))
        rows = partitions[number][at[number] : at[number] + size]
        at[number] += len(rows)
        watermarks[number] = max(
            [watermarks[number], *(row.time - OUT_OF_ORDERNESS for row in rows)]
        )
        if at[number] == len(partitions[number]):
            watermarks[number] = max(watermarks[number], 0)
        found.append((rows, min(watermarks)))
    return found


readings = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 90),
        st.none() | st.integers(-50, 50).map(lambda n: n / 7),
    ),
    min_size=1,
    max_size=30,
)
partitions = st.lists(readings, min_size=1, max_size=3)
