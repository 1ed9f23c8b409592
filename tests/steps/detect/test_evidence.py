"""Where the rows behind an alarm are: position of the sensor, partition and offset, window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tests.support.streams import SECOND, START
from tocsin.kernels.batch import (
    BEGINNING,
    EVENT_TIME,
    SYSTEM_FIELDS,
    TIMESTAMP,
    micros,
    readings_schema,
    timestamps,
    with_traits,
)
from tocsin.steps.detect.step import Detect

STEP = Detect.model_validate(
    {
        "of": "value",
        "by": ["sensor"],
        "rule": "high",
        "with": {"threshold": {"above": 10}},
        "shards": 1,
    }
)
SCHEMA = readings_schema(
    [
        pa.field("sensor", pa.string()),
        *(pa.field(name, pa.float64()) for name in ("value", "latitude", "longitude")),
    ],
    topic="city.air",
    allowed_lateness=0,
)
# Sensor, seconds, value, latitude, longitude.
Reading = tuple[str, int, float, float | None, float | None]


def alarms(*batches: list[Reading]) -> list[dict[str, Any]]:
    """Alarm events of one shard; partition 3, each batch from offset 100."""
    operator = STEP.operator(SCHEMA, "high")
    state: list[bytes] = []
    found = []
    for readings in batches:
        ((_, part),) = operator.route(batch_of(readings)).by_shard
        advanced = operator.advance(state, [part], START + (readings[-1][1] + 1) * SECOND, None)
        state = advanced.state
        for tag, batch in advanced.outputs:
            found += batch.to_pylist() if tag == "alarms" else []
    return found


def batch_of(readings: list[Reading]) -> pa.RecordBatch:
    count = len(readings)
    names, seconds, *numbers = zip(*readings, strict=True)
    columns = [
        pa.array(names), *(pa.array(column, pa.float64()) for column in numbers),
        timestamps(START + np.array(seconds, np.int64) * SECOND),
        timestamps(np.full(count, BEGINNING)),
        pa.array([3] * count, pa.int32()),
        pa.array(100 + np.arange(count)), pa.array([0] * count, pa.int32()),
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def test_an_alarm_is_where_its_sensor_is() -> None:
    found = alarms(
        [("a", 1, 20.0, 48.1, -1.6), ("b", 2, 1.0, 50.0, 7.0), ("c", 3, 30.0, None, None)]
    )
    places = {row["key"]: (row["latitude"], row["longitude"]) for row in found}
    assert places == {"sensor=a": (48.1, -1.6), "sensor=c": (None, None)}


def test_a_row_without_a_position_leaves_the_sensor_where_it_was() -> None:
    (row,) = alarms([("a", 1, 1.0, 48.1, -1.6)], [("a", 2, 20.0, None, -1.7)])
    assert (row["latitude"], row["longitude"]) == (48.1, -1.7)


def test_an_alarm_names_the_message_that_raised_it() -> None:
    (row,) = alarms([("a", 1, 1.0, 48.1, -1.6), ("a", 2, 20.0, 48.1, -1.6)])
    assert (row["topic"], row["partition"], row["offset"]) == ("city.air", 3, 101)
    assert (row["window_start"], row["window_end"]) == (None, None)
    assert (row["observed"], row["of"], row["rule"]) == (20.0, "value", "high")


def test_a_doubt_about_the_first_row_of_a_batch_is_in_its_message() -> None:
    schema = readings_schema(
        [*list(SCHEMA)[:4], pa.field("flag", pa.int8())],
        topic="city.air",
        allowed_lateness=0,
    )
    operator = STEP.operator(schema, "high")
    plain = batch_of([("a", 1, 20.0, 48.1, -1.6), ("b", 2, 30.0, 48.1, -1.6)])
    columns = [*plain.columns[:4], pa.array([3, 1], pa.int8()), *plain.columns[4:]]
    rows = pa.RecordBatch.from_arrays(columns, schema=schema)
    ((_, part),) = operator.route(rows).by_shard
    advanced = operator.advance([], [part], START + 3 * SECOND, None)
    (found,) = (batch for tag, batch in advanced.outputs if tag == "alarms")
    doubted = {
        row["key"]: row["message"].endswith("; flagged suspect") for row in found.to_pylist()
    }
    assert doubted == {"sensor=a": True, "sensor=b": False}


def test_an_alarm_of_a_window_is_before_the_end_of_its_window_for_later_steps() -> None:
    """A step behind it must see it before the watermark passes the window's end."""
    fields = [
        pa.field("window_start", TIMESTAMP),
        pa.field("window_end", TIMESTAMP),
        pa.field("sensor", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("revision", pa.int32()),
    ]
    schema = with_traits(
        readings_schema(fields, topic="", allowed_lateness=0), aggregated=True, keys=("sensor",)
    )
    end = START + 60 * SECOND
    columns = [
        timestamps(np.array([START])),
        timestamps(np.array([end])),
        pa.array(["a"]),
        pa.array([20.0]),
        pa.array([0], pa.int32()),
        timestamps(np.array([end - 1])),
        *(pa.nulls(1, field.type) for field in SYSTEM_FIELDS[1:]),
    ]
    operator = STEP.operator(schema, "high")
    rows = pa.RecordBatch.from_arrays(columns, schema=schema)
    ((_, part),) = operator.route(rows).by_shard
    advanced = operator.advance([], [part], end + SECOND, None)
    (found,) = (batch for tag, batch in advanced.outputs if tag == "alarms")
    assert micros(found.column("time")).tolist() == [end]
    assert micros(found.column(EVENT_TIME)).tolist() == [end - 1]
