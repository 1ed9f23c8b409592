"""Sensors compared with their neighbours in a stream, window by window, for any batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.support.streams import SECOND, START, Shards
from tocsin.foundation.faults import Faults
from tocsin.kernels.batch import (
    FOREVER,
    SYSTEM_FIELDS,
    TIMESTAMP,
    readings_schema,
    timestamps,
    with_traits,
)
from tocsin.steps.ordered.buddy_check import BuddyCheck

FIELDS = [
    pa.field("window_start", TIMESTAMP),
    pa.field("window_end", TIMESTAMP),
    pa.field("sensor", pa.string()),
    pa.field("metric", pa.string()),
    pa.field("latitude", pa.float64()),
    pa.field("longitude", pa.float64()),
    pa.field("mean", pa.float64()),
    pa.field("revision", pa.int32()),
]
SCHEMA = with_traits(
    readings_schema(FIELDS, topic="t", allowed_lateness=0),
    aggregated=True,
    keys=("sensor", "metric"),
)
STEP: dict[str, Any] = {
    "by": ["metric"],
    "of": "mean",
    "radius": 2000,
    "least": 3,
    "threshold": 3,
    "smallest_deviation": 0.5,
    "shards": 2,
}
# Sensor, minute, metric, latitude, value.
Window = tuple[str, int, str, float, float | None]


def batch_of(rows: list[Window]) -> pa.RecordBatch:
    starts = np.array([START + row[1] * 60 * SECOND for row in rows], np.int64)
    columns = [
        timestamps(starts),
        timestamps(starts + 60 * SECOND),
        pa.array([row[0] for row in rows]),
        pa.array([row[2] for row in rows]),
        pa.array([row[3] for row in rows]),
        pa.array([2.0] * len(rows)),
        pa.array([row[4] for row in rows], pa.float64()),
        pa.array([0] * len(rows), pa.int32()),
        timestamps(starts + 60 * SECOND - 1),
        *(pa.nulls(len(rows), field.type) for field in SYSTEM_FIELDS[1:]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def checked(rows: list[Window], seed: int) -> dict[tuple[str, int, str], tuple[int, int]]:
    random = np.random.default_rng(seed)
    step = BuddyCheck.model_validate(STEP).operator(SCHEMA, "")
    shards = Shards(step, random)
    found = {}
    outputs = []
    for minute in sorted({row[1] for row in rows}):
        here = [row for row in rows if row[1] == minute]
        here = [here[at] for at in random.permutation(len(here))]
        cut = int(random.integers(len(here) + 1))
        for part in (here[:cut], here[cut:]):
            if part:
                shards.take(step.route(batch_of(part)))
        outputs += [
            one
            for shard in range(2)
            for one in shards.advance(shard, START + (minute + 1) * 60 * SECOND)
        ]
    outputs += [one for shard in range(2) for one in shards.advance(shard, FOREVER)]
    for _, batch in outputs:
        for row in batch.to_pylist():
            minute = int(row["window_start"].timestamp() - START / SECOND) // 60
            found[row["sensor"], minute, row["metric"]] = (row["neighbour_flag"], row["neighbours"])
    return found


def test_the_order_of_arrival_changes_nothing() -> None:
    random = np.random.default_rng(5)
    rows: list[Window] = [
        (f"s-{at}", 0, "pm25", 48.0 + at * 0.0007, float(random.normal())) for at in range(20)
    ]
    step = BuddyCheck.model_validate(STEP).operator(SCHEMA, "")
    found = set()
    for _ in range(20):
        shards = Shards(step, random)
        shards.take(step.route(batch_of([rows[at] for at in random.permutation(len(rows))])))
        given = [
            row
            for shard in range(2)
            for _, batch in shards.advance(shard, FOREVER)
            for row in batch.to_pylist()
        ]
        found.add(tuple(sorted((row["sensor"], row["neighbour_mean"]) for row in given)))
    assert len(found) == 1


def test_a_sensor_far_from_its_neighbours_is_suspect_and_an_isolated_one_is_not_tested() -> None:
    rows: list[Window] = []
    for minute in range(3):
        for metric, level in (("temperature", 20.0), ("pm25", 8.0)):
            rows += [
                (f"s-{at}", minute, metric, 48.0 + at * 0.002, level + 0.1 * at) for at in range(5)
            ]
            rows.append(("alone", minute, metric, 49.0, level + 30))
    rows[2 + 12] = ("s-2", 1, "temperature", 48.004, 35.0)
    rows[3 + 12] = ("s-3", 1, "temperature", 48.006, None)
    one, again = checked(rows, 1), checked(rows, 2)
    assert one == again
    assert len(one) == len(rows)
    assert one["s-2", 1, "temperature"] == (3, 3)
    assert one["s-3", 1, "temperature"] == (2, 3)
    # The one that is far is left out of what the others are compared with.
    assert one["s-1", 1, "temperature"] == (2, 2)
    assert one["s-1", 0, "temperature"] == (1, 4)
    assert {flag for (sensor, _, _), (flag, _) in one.items() if sensor == "alone"} == {2}
    assert [key for key, (flag, _) in one.items() if flag == 3] == [("s-2", 1, "temperature")]


def test_the_flag_of_a_window_includes_this_test() -> None:
    at = SCHEMA.get_field_index("revision")
    schema = SCHEMA.insert(at, pa.field("flag_reasons", pa.int64())).insert(
        at, pa.field("flag", pa.int8())
    )
    rows: list[Window] = [(f"s-{n}", 0, "pm25", 48.0 + n * 0.002, 8.0 + 0.1 * n) for n in range(5)]
    rows += [("far", 0, "pm25", 48.001, 60.0), ("alone", 0, "pm25", 49.0, 60.0)]
    rows += [(f"d-{n}", 0, "pm10", 48.0 + n * 0.002, 8.0 + 0.1 * n) for n in range(5)] + [
        ("also far", 0, "pm10", 48.001, 60.0)
    ]
    rows.append(("silent", 0, "pm25", 48.002, None))
    flags = {
        "s-1": 2,
        "s-2": 3,
        "s-3": 4,
        "s-4": None,
        "far": 1,
        "also far": 4,
        "alone": 2,
        "silent": 9,
    }
    bits = {"s-2": 32, "s-3": 1, "s-4": None, "also far": 1}
    batch = batch_of(rows)
    batch = pa.RecordBatch.from_arrays(
        [
            *batch.columns[:at],
            pa.array([flags.get(row[0], 1) for row in rows], pa.int8()),
            pa.array([bits.get(row[0], 0) for row in rows], pa.int64()),
            *batch.columns[at:],
        ],
        schema=schema,
    )
    step = BuddyCheck.model_validate(STEP).operator(schema, "")
    shards = Shards(step, np.random.default_rng(3))
    shards.take(step.route(batch))
    given = [
        row
        for shard in range(2)
        for _, out in shards.advance(shard, FOREVER)
        for row in out.to_pylist()
    ]
    assert {
        row["sensor"]: (row["flag"], row["flag_reasons"])
        for row in given
        if row["sensor"][:2] != "d-"
    } == {
        "s-0": (1, 0),
        "s-1": (1, 0),
        "s-2": (3, 32),
        "s-3": (4, 1),
        "s-4": (1, 0),
        "far": (3, 128),
        "also far": (4, 129),
        "alone": (2, 0),
        "silent": (9, 0),
    }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"of": "maen"}, "no column 'maen'"),
        ({"latitude": "sensor"}, "'sensor' is string, not a number"),
    ],
)
def test_mistakes_are_reported(change: dict[str, Any], why: str) -> None:
    with pytest.raises(Faults, match=why):
        BuddyCheck.model_validate({**STEP, **change}).output_schema(SCHEMA)


def test_it_takes_aggregates() -> None:
    with pytest.raises(Faults, match="takes aggregates"):
        BuddyCheck.model_validate(STEP).output_schema(with_traits(SCHEMA, aggregated=False))
