"""Aggregate equals an oracle of single rows, for any batches, interleaving and firing times."""

from __future__ import annotations

import math
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.streams import (
    LATENESS,
    SCHEMA,
    SECOND,
    Row,
    Shards,
    batch_of,
    deliveries,
    partitions,
    rows_of,
)
from tocsin.kernels.batch import FOREVER, micros
from tocsin.steps.aggregate.step import Aggregate

MEASURES = {
    "total": "sum(value)",
    "seen": "count(value)",
    "rows": "count()",
    "least": "min(value)",
    "newest": "last(value)",
}
TUMBLING = Aggregate(every="10 s", by=["sensor"], measures=MEASURES, shards=3)
SLIDING = Aggregate(every="10 s", window="30 s", by=["sensor"], measures=MEASURES, shards=3)
UNEVEN = Aggregate(every="10 s", window="25 s", by=["sensor"], measures=MEASURES, shards=2)
LONG = Aggregate(every="5 s", window="45 s", by=["sensor"], measures=MEASURES, shards=2)
SESSION = Aggregate(session="8 s", by=["sensor"], measures=MEASURES, shards=3)


def expected_windows(step: Aggregate, rows: list[Row]) -> tuple[set[tuple[Any, ...]], list[Row]]:
    """Results with their revision, and late rows, by a loop over rows and their windows."""
    size, every = step.window or step.every or 0, step.every or 1
    on_time: dict[tuple[int, str], list[Row]] = {}
    accepted: dict[tuple[int, str], list[Row]] = {}
    late = []
    for row in rows:
        first = (row.time - size) // every + 1
        starts = [s * every for s in range(first, row.time // every + 1)]
        open_ = [s for s in starts if s + size + LATENESS > row.watermark]
        if not open_:
            late.append(row)
        for start in open_:
            accepted.setdefault((start, row.sensor), []).append(row)
            if start + size > row.watermark:
                on_time.setdefault((start, row.sensor), []).append(row)
    found = {
        summary(start, start + size, sensor, 0, held) for (start, sensor), held in on_time.items()
    }
    for key, held in accepted.items():
        if len(held) > len(on_time.get(key, [])):
            found.add(summary(key[0], key[0] + size, key[1], 1, held))
    return found, late


def expected_sessions(step: Aggregate, rows: list[Row]) -> tuple[set[tuple[Any, ...]], list[Row]]:
    """Sessions by sorting each sensor's accepted rows."""
    gap = step.session or 0
    late = [row for row in rows if row.time + LATENESS < row.watermark]
    found = set()
    for sensor in "abc":
        held: list[Row] = []
        for row in sorted(
            (r for r in rows if r.sensor == sensor and r not in late), key=lambda r: r.time
        ):
            if held and row.time >= held[-1].time + gap:
                found.add(summary(held[0].time, held[-1].time + gap, sensor, 0, held))
                held = []
            held.append(row)
        if held:
            found.add(summary(held[0].time, held[-1].time + gap, sensor, 0, held))
    return found, late


def summary(start: int, end: int, sensor: str, revision: int, rows: list[Row]) -> tuple[Any, ...]:
    values = [row.value for row in rows if row.value is not None]
    last = max((row.time for row in rows if row.value is not None), default=0)
    newest = min(
        (row.value for row in rows if row.value is not None and row.time == last), default=None
    )
    total = math.fsum(values) if values else None
    return (
        start,
        end,
        sensor,
        total,
        len(values),
        len(rows),
        min(values, default=None),
        newest,
        revision,
    )


def run(
    step: Aggregate, stream: list[tuple[list[Row], int]], random: np.random.Generator
) -> tuple[list[Any], list[Row], int]:
    """The output of the shards when they are advanced at random watermarks."""
    operator = step.operator(SCHEMA, "")
    shards = Shards(operator, random)
    came: list[Any] = []
    late = 0

    def advance(shard: int, time: int) -> None:
        for _, batch in shards.advance(shard, time):
            starts, ends = micros(batch.column("window_start")), micros(batch.column("window_end"))
            for row, start, end in zip(batch.to_pylist(), starts, ends, strict=True):
                came.append(
                    (
                        int(start),
                        int(end),
                        row["sensor"],
                        *(row[name] for name in MEASURES),
                        row["revision"],
                    )
                )

    for rows, watermark in stream:
        routed = operator.route(batch_of(rows))
        late += routed.counts["late"]
        assert routed.counts["kept"] + routed.counts["late"] == len(rows)
        shards.take(routed)
        if random.random() < 0.5:
            for shard in range(step.shards):
                advance(shard, watermark)
    for shard in range(step.shards):
        advance(shard, FOREVER)
    return came, [], late


@pytest.mark.parametrize(
    "step",
    [TUMBLING, SLIDING, UNEVEN, LONG, SESSION],
    ids=["tumbling", "sliding", "uneven", "long", "session"],
)
@pytest.mark.parametrize("rows_a_window", [0, 20_000])
@given(streams=partitions, seed=st.integers(0, 1000))
def test_results_equal_those_of_the_oracle_whatever_the_runner_does(
    step: Aggregate, rows_a_window: int, streams: Any, seed: int
) -> None:
    # Hypothesis runs the test many times: no fixture of pytest's is undone in between.
    with mock.patch("tocsin.steps.aggregate.window_results._ROWS_A_WINDOW", rows_a_window):
        check(step, streams, seed)


def check(step: Aggregate, streams: Any, seed: int) -> None:
    rows = rows_of(streams)
    everything = [row for partition in rows for row in partition]
    oracle = expected_sessions if step.session else expected_windows
    expected, late_rows = oracle(step, everything)
    random = np.random.default_rng(seed)
    came, _, late = run(step, deliveries(rows, random), random)
    assert len(came) == len(set(came)), "a window came twice"
    assert set(came) == expected
    assert late == len(late_rows)


def test_rows_of_overlapping_windows_are_folded_once() -> None:
    day = Aggregate(every="1 s", window="1000 s", by=["sensor"], measures={"n": "count()"})
    operator = day.operator(SCHEMA, "")
    rows = rows_of([[("a", second, 1.0) for second in range(60)]])[0]
    partial, _ = operator.fold(batch_of(rows))
    assert partial.num_rows == 60


def test_a_shard_is_due_at_the_end_of_its_first_window() -> None:
    operator = TUMBLING.operator(SCHEMA, "")
    row = rows_of([[("a", 3, 1.0)]])[0]
    ((_, part),) = operator.route(batch_of(row)).by_shard
    assert operator.due(part) == row[0].time - 3 * SECOND + 10 * SECOND
