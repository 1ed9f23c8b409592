"""Windows whose readings all lack a value: they have a row, and nothing is invented."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.support.streams import SCHEMA, SECOND, START, Shards, batch_of, rows_of
from tocsin.kernels.batch import FOREVER, micros
from tocsin.laws.aggregations import results
from tocsin.laws.kit import instances
from tocsin.laws.readings import batch
from tocsin.parts.aggregation import Aggregation
from tocsin.parts.registry import load, locations
from tocsin.steps.aggregate.step import Aggregate

# docs/lateness.md has the same table. All other aggregations give null.
NOT_NULL = {
    "count": 0,
    "distinct_count": 0,
    "reasons": 0,
    "completeness": 0.0,
    "valid": False,
    "worst_flag": 9,
    # It counts on the window alone.
    "expected": 6.0,
}
AGGREGATIONS = {
    place.name_in_jobs: part
    for place in locations().values()
    if isinstance(part := load(place), type) and issubclass(part, Aggregation)
}


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_an_aggregation_of_no_value_is_null_or_counts_nothing(name: str) -> None:
    nans = batch(np.full(3, np.nan))
    at = nans.schema.get_field_index("value")
    nulls = nans.set_column(at, nans.schema.field(at), pa.nulls(3, pa.float64()))
    made = next(iter(instances(AGGREGATIONS[name])))
    for pieces in ([nulls], [nans], [nulls, nans], [nulls.slice(0, 0)]):
        assert results(made, pieces) == [NOT_NULL.get(name)]


def emitted(step: Aggregate, *readings: tuple[str, int, float | None]) -> list[dict[str, Any]]:
    """Results of readings (sensor, second, value) of one partition, in order."""
    (rows,) = rows_of([list(readings)])
    shards = Shards(step.operator(SCHEMA, ""), np.random.default_rng(3))
    shards.take(shards.operator.route(batch_of(rows)))
    found = []
    for shard in range(step.shards):
        # The watermark passes the windows before the input ends, so a gap is a gap.
        for time in (START + 200 * SECOND, FOREVER):
            for _, one in shards.advance(shard, time):
                starts = (micros(one.column("window_start")) - START) // SECOND
                for row, start in zip(one.to_pylist(), starts.tolist(), strict=True):
                    found.append({**row, "start": start})
    return sorted(found, key=lambda row: (row["start"], row["revision"]))


def step(**config: Any) -> Aggregate:
    measures = {"mean": "mean(value)", "rows": "count()", "values": "count(value)"}
    return Aggregate(**{"by": ["sensor"], "measures": measures, "shards": 2, **config})


def seen(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["start"], row["revision"], row["mean"], row["rows"], row["values"]


@pytest.mark.parametrize("config", [{"every": "10 s"}, {"session": "10 s"}, {"calendar": "day"}])
def test_a_window_of_nulls_has_a_row(config: dict[str, str]) -> None:
    (row,) = emitted(step(**config), ("a", 1, None), ("a", 2, float("nan")))
    assert (row["mean"], row["rows"], row["values"], row["revision"]) == (None, 2, 0, 0)


def test_each_sliding_window_of_nulls_has_a_row() -> None:
    rows = emitted(step(every="10 s", window="30 s"), ("a", 1, None), ("a", 21, 5.0))
    assert [seen(row) for row in rows] == [
        (-20, 0, None, 1, 0),
        (-10, 0, None, 1, 0),
        (0, 0, 5.0, 2, 1),
        (10, 0, 5.0, 1, 1),
        (20, 0, 5.0, 1, 1),
    ]


def test_a_late_reading_without_a_value_revises_its_window_to_the_same_measures() -> None:
    # Its watermark is 15 s: the window from 0 s has ended, and waits for late readings until 30 s.
    rows = emitted(step(every="10 s"), ("a", 3, 4.0), ("a", 20, 1.0), ("a", 5, None))
    assert [seen(row) for row in rows] == [
        (0, 0, 4.0, 1, 1),
        (0, 1, 4.0, 2, 1),
        (20, 0, 1.0, 1, 1),
    ]


def test_a_window_of_nulls_is_no_gap() -> None:
    rows = emitted(
        step(every="10 s", fill_gaps="20 s"), ("a", 1, 4.0), ("a", 11, None), ("a", 199, 1.0)
    )
    assert [seen(row) for row in rows[:4]] == [
        (0, 0, 4.0, 1, 1),
        (10, 0, None, 1, 0),
        (20, 0, None, 0, 0),
        (30, 0, None, 0, 0),
    ]
