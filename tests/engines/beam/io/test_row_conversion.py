"""Batches to Beam rows and back: no value changes, and the event time follows the rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.typehints import row_type

from tocsin.engines.beam.io.batch_coder import BatchType
from tocsin.engines.beam.io.row_conversion import ToBatches, ToRows
from tocsin.engines.beam.running import local_pipeline
from tocsin.kernels.batch import EVENT_TIME, readings_schema

START = datetime(2026, 3, 2, tzinfo=UTC)
SCHEMA = readings_schema(
    [
        pa.field("sensor", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("count", pa.int32()),
        pa.field("open", pa.bool_()),
    ],
    topic="city",
    allowed_lateness=0,
)
ROWS = [
    {"sensor": "a", "value": 1.5, "count": 3, "open": True, EVENT_TIME: START},
    {"sensor": None, "value": None, "count": None, "open": None, EVENT_TIME: START},
    {
        "sensor": "b",
        "value": -0.25,
        "count": -1,
        "open": False,
        EVENT_TIME: START + timedelta(seconds=1, microseconds=7),
    },
]
# Beam's local runner works in this process.
_FOUND: list[Any] = []


def collect(element: Any) -> None:
    _FOUND.append(element)


def collected(build: Callable[[Any], Any]) -> list[Any]:
    _FOUND.clear()
    pipeline = local_pipeline()
    _ = build(pipeline) | "Collect" >> beam.Map(collect)
    pipeline.run().wait_until_finish()
    return list(_FOUND)


def batches(pipeline: Any) -> Any:
    collection = pipeline | beam.Create([pa.RecordBatch.from_pylist(ROWS, schema=SCHEMA)])
    collection.element_type = BatchType(SCHEMA)
    return collection


def test_rows_hold_the_users_columns_and_the_event_time_as_text() -> None:
    rows = collected(lambda pipeline: batches(pipeline) | ToRows())
    assert [row.as_dict() for row in rows] == [
        {
            "event_time": row[EVENT_TIME].isoformat(),
            **{name: row[name] for name in ("sensor", "value", "count", "open")},
        }
        for row in ROWS
    ]


def test_a_round_trip_keeps_values_nulls_and_event_times() -> None:
    back = collected(lambda pipeline: batches(pipeline) | ToRows() | ToBatches())
    rows = [row for batch in back for row in batch.to_pylist()]
    names = ("sensor", "value", "count", "open", EVENT_TIME)
    assert [{name: row[name] for name in names} for row in rows] == ROWS


def test_batches_hold_at_most_the_configured_rows() -> None:
    back = collected(lambda pipeline: batches(pipeline) | ToRows() | ToBatches(rows=2))
    assert [batch.num_rows for batch in back] == [2, 1]


def test_rows_without_an_event_time_take_the_elements_timestamp() -> None:
    def build(pipeline: Any) -> Any:
        rows = pipeline | beam.Create([beam.Row(sensor="a"), beam.Row(sensor="b")])
        stamped = rows | beam.Map(
            lambda row: beam.transforms.window.TimestampedValue(row, START.timestamp())
        )
        stamped.element_type = row_type.RowTypeConstraint.from_fields([("sensor", str)])
        return stamped | ToBatches()

    rows = [row for batch in collected(build) for row in batch.to_pylist()]
    assert [(row["sensor"], row[EVENT_TIME]) for row in rows] == [("a", START), ("b", START)]
