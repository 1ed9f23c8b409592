"""Lookup finds the registry row valid at event time, whichever topic is faster."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.streams import LATENESS, OUT_OF_ORDERNESS, START, Row, Shards, rows_of
from tocsin.foundation.faults import Faults
from tocsin.kernels.batch import (
    BEGINNING,
    FOREVER,
    readings_schema,
    timestamps,
    traits,
    with_traits,
)
from tocsin.steps.lookup.step import Lookup
from tocsin.steps.state.union import united, united_schema

READINGS = readings_schema(
    [pa.field("sensor", pa.string()), pa.field("value", pa.float64())],
    topic="r",
    allowed_lateness=LATENESS,
)
REGISTRY = readings_schema(
    [pa.field("sensor", pa.string()), pa.field("slope", pa.float64())],
    topic="g",
    allowed_lateness=LATENESS,
)
SCHEMA = united_schema([("readings", READINGS), ("registry", REGISTRY)])
STEP = Lookup(by=["sensor"], add=["slope"], shards=2)


def batch_of(side: str, rows: list[Row]) -> pa.RecordBatch:
    columns = [
        pa.array([row.sensor for row in rows]),
        pa.array([row.value for row in rows], pa.float64()),
        timestamps(np.array([row.time for row in rows])),
        timestamps(np.array([row.watermark for row in rows])),
        pa.array([row.partition for row in rows], pa.int32()),
        pa.array([row.offset for row in rows], pa.int64()),
        pa.array([0] * len(rows), pa.int32()),
    ]
    schema = READINGS if side == "readings" else REGISTRY
    return united(pa.RecordBatch.from_arrays(columns, schema=schema), side, SCHEMA)


def enriched(sides: dict[str, list[Row]], seed: int) -> tuple[list[Any], int]:
    random = np.random.default_rng(seed)
    step = STEP.operator(SCHEMA, "")
    shards = Shards(step, random)
    found: list[Any] = []
    late, at = 0, dict.fromkeys(sides, 0)
    reached = dict.fromkeys(sides, BEGINNING)

    def take(outputs: Any) -> None:
        found.extend(
            (row["sensor"], row["_event_time"], row["value"], row["slope"])
            for _, batch in outputs
            for row in batch.to_pylist()
        )

    while any(at[side] < len(rows) for side, rows in sides.items()):
        side = str(random.choice([one for one, rows in sides.items() if at[one] < len(rows)]))
        rows = sides[side][at[side] : at[side] + int(random.integers(1, 5))]
        at[side] += len(rows)
        routed = step.route(batch_of(side, rows))
        late += routed.counts.get("late", 0)
        shards.take(routed)
        reached[side] = max([reached[side], *(row.time - OUT_OF_ORDERNESS for row in rows)])
        if at[side] == len(sides[side]):
            reached[side] = FOREVER
        for shard in range(2):
            if random.random() < 0.7:
                take(shards.advance(shard, min([*reached.values(), START + 10**12])))
    for shard in range(2):
        take(shards.advance(shard, FOREVER))
    return sorted(found, key=str), late


def expected(sides: dict[str, list[Row]]) -> tuple[list[Any], int]:
    found, late = [], 0
    for row in sides["readings"]:
        if row.time + LATENESS < row.watermark:
            late += 1
            continue
        held = [
            (max(one.time, one.watermark), -1e9 if one.value is None else one.value, one.value)
            for one in sides["registry"]
            if one.sensor == row.sensor and max(one.time, one.watermark) <= row.time
        ]
        when = timestamps(np.array([row.time]))[0].as_py()
        found.append((row.sensor, when, row.value, max(held)[2] if held else None))
    return sorted(found, key=str), late


readings = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 90), st.none() | st.integers(0, 9).map(float)),
    min_size=1,
    max_size=25,
)


@pytest.mark.parametrize("spent", [0, 4_000])
@settings(max_examples=60)
@given(one=readings, other=readings, seed=st.integers(0, 99))
def test_added_columns_equal_those_of_a_loop(spent: int, one: Any, other: Any, seed: int) -> None:
    sides = {"readings": rows_of([one])[0], "registry": rows_of([other])[0]}
    with mock.patch("tocsin.steps.state.row_log._SPENT", spent):
        assert enriched(sides, seed) == expected(sides)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"by": ["serial"], "add": ["slope"]}, "no column 'serial'"),
        ({"by": ["sensor"], "add": ["offset"]}, "no column 'offset'"),
        ({"by": ["sensor"], "add": ["sensor"]}, "already have a column 'sensor'"),
    ],
)
def test_mistakes_are_reported(step: dict[str, Any], why: str) -> None:
    with pytest.raises(Faults, match=why):
        Lookup.model_validate(step).output_schema(SCHEMA)


def test_units_are_kept() -> None:
    inputs = (
        with_traits(READINGS, units={"value": "hPa"}),
        with_traits(REGISTRY, units={"slope": "1", "sensor": "m"}),
    )
    schema = united_schema(list(zip(("readings", "registry"), inputs, strict=True)))
    assert traits(STEP.output_schema(schema)).units == {"value": "hPa", "slope": "1"}
    assert traits(STEP.late_schema(schema)).units == {"value": "hPa"}
