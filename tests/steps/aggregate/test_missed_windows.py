"""A row that misses some of its overlapping windows is kept, counted, and in the output `late`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.streams import (
    SCHEMA,
    SECOND,
    START,
    Row,
    Shards,
    batch_of,
    deliveries,
    partitions,
    rows_of,
)
from tocsin.foundation.faults import Fault
from tocsin.foundation.ledger import Ledger, StepCount
from tocsin.kernels.batch import FOREVER, micros, user_columns, with_traits
from tocsin.steps.aggregate.step import Aggregate

Pair = tuple[int, str]
"""A window's start and a sensor."""

ADDED = ["missed_windows", "kept_windows", "first_missed", "last_missed"]


def windows_of(row: Row, size: int, every: int) -> list[int]:
    """Starts of all windows that hold a row."""
    first = (row.time - size) // every + 1
    return [number * every for number in range(first, row.time // every + 1)]


def sliding(every: int, window: int, **more: Any) -> Aggregate:
    measures = {"rows": "count()", "total": "sum(value)"}
    config = {"every": f"{every} s", "window": f"{window} s", "by": ["sensor"], "shards": 2}
    return Aggregate(**config, measures=measures, **more)


class Delivery:
    """What a step emits for a stream in random batches, advanced at random times."""

    def __init__(self, step: Aggregate, streams: Any, lateness: int, seed: int) -> None:
        self.rows = rows_of(streams)
        random = np.random.default_rng(seed)
        schema = with_traits(SCHEMA, allowed_lateness=lateness)
        self.shards = Shards(step.operator(schema, ""), random)
        self.counts: Counter[str] = Counter()
        self.late: list[dict[str, Any]] = []
        self.newest: dict[Pair, tuple[int, int]] = {}
        for rows, watermark in deliveries(self.rows, random):
            batch = batch_of(rows).replace_schema_metadata(schema.metadata)
            routed = self.shards.operator.route(batch)
            self.counts.update(routed.counts, read=len(rows))
            for batch in routed.outputs.values():
                self.late += batch.to_pylist()
            self.shards.take(routed)
            if random.random() < 0.5:
                self._advance(watermark)
        self._advance(FOREVER)

    def _advance(self, time: int) -> None:
        for shard in range(self.shards.operator.shards):
            for _, batch in self.shards.advance(shard, time):
                starts = micros(batch.column("window_start")).tolist()
                for row, start in zip(batch.to_pylist(), starts, strict=True):
                    version = (row["revision"], row["rows"])
                    key = (start, row["sensor"])
                    self.newest[key] = max(self.newest.get(key, (-1, 0)), version)


@settings(max_examples=40, deadline=None)
@given(
    streams=partitions,
    every=st.integers(1, 12),
    panes=st.integers(0, 40),
    lateness=st.sampled_from([0, 1, 7, 20]),
    gaps=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_pair_of_row_and_window_is_in_a_result_or_in_late(
    streams: Any, every: int, panes: int, lateness: int, gaps: bool, seed: int
) -> None:
    window = every + 1 + panes
    step = sliding(every, window, **({"fill_gaps": "10 s"} if gaps else {}))
    came = Delivery(step, streams, lateness * SECOND, seed)
    expected: list[tuple[Any, ...]] = []
    in_windows: Counter[Pair] = Counter()
    for row in (row for partition in came.rows for row in partition):
        starts = windows_of(row, window * SECOND, every * SECOND)
        closed = [s for s in starts if s + (window + lateness) * SECOND <= row.watermark]
        in_windows.update((start, row.sensor) for start in starts if start not in closed)
        if closed:
            held = len(starts) - len(closed)
            expected.append(
                (row.partition, row.offset, len(closed), held, closed[0], closed[-1], row.watermark)
            )
    late = [
        (
            *(row[name] for name in ("_partition", "_offset", "missed_windows", "kept_windows")),
            *(
                round(row[name].timestamp() * 1e6)
                for name in ("first_missed", "last_missed", "_event_time")
            ),
        )
        for row in came.late
    ]
    assert sorted(late) == sorted(expected)
    assert {key: rows for key, (_, rows) in came.newest.items() if rows} == dict(in_windows)
    some = sum(1 for row in expected if row[3])
    assert came.counts["late_for_some"] == some
    assert came.counts["late"] == len(expected) - some
    assert came.counts["kept"] + came.counts["late"] == came.counts["read"]
    assert came.counts["missed_windows"] == sum(row[2] for row in expected)


def at(*seconds: int) -> Any:
    return [[("a", second, 1.0) for second in seconds]]


def test_a_row_that_misses_two_of_three_windows_is_kept_and_in_late() -> None:
    # The watermark of the second row is 95 s: its windows from 50 s and 60 s are over by then.
    came = Delivery(sliding(10, 30), at(100, 72), 0, 0)
    kept = {"read": 2, "kept": 2, "late": 0}
    assert came.counts == {**kept, "late_for_some": 1, "missed_windows": 2}
    (row,) = came.late
    assert (row["missed_windows"], row["kept_windows"]) == (2, 1)
    starts = [row[name].timestamp() - START / SECOND for name in ("first_missed", "last_missed")]
    assert starts == [50, 60]


def test_tumbling_windows_have_the_columns_of_the_input_in_late() -> None:
    step = Aggregate(every="10 s", by=["sensor"], measures={"rows": "count()"}, shards=2)
    came = Delivery(step, at(100, 20), 0, 0)
    assert came.counts == {"read": 2, "kept": 1, "late": 1}
    assert step.outputs(SCHEMA)["late"] == SCHEMA
    assert not set(ADDED) & set(came.late[0])


def test_the_added_columns_stand_before_the_system_columns_and_keep_the_traits() -> None:
    late = sliding(10, 30).outputs(SCHEMA)["late"]
    assert user_columns(late) == ["sensor", "value", *ADDED]
    assert late.metadata == SCHEMA.metadata


@pytest.mark.parametrize("name", ADDED)
def test_a_column_of_the_input_is_not_replaced(name: str) -> None:
    taken = SCHEMA.insert(0, pa.field(name, pa.int64()))
    with pytest.raises(Fault, match=f"'{name}'"):
        sliding(10, 30).outputs(taken)
    assert sliding(10, 10).outputs(taken)["late"] == taken


def test_the_balance_leaves_details_out() -> None:
    count = StepCount(read=3, kept=2, late=1, late_for_some=2, missed_windows=5)
    assert count.balances
    assert Ledger({"Windows": count}).details() == ("late_for_some", "missed_windows")
    assert Ledger({"Windows": StepCount(read=1, kept=1)}).details() == ()
