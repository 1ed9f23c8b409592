"""Windows without readings equal those of a loop, whatever the batches and firing times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.steps.ordered.test_shift import end_of
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
from tocsin.kernels.batch import FOREVER, micros
from tocsin.steps.aggregate.gap_filling import GapFillingOperator
from tocsin.steps.aggregate.step import Aggregate

EVERY, KEEP = 5 * SECOND, 22 * SECOND
STEP = Aggregate.model_validate(
    {
        "every": "5 s",
        "fill_gaps": "22 s",
        "by": ["sensor"],
        "measures": {"n": "count()", "mean": "mean(value)"},
        "shards": 2,
    }
)


def filled(stream: list[list[Row]], seed: int) -> tuple[list[Any], list[Any]]:
    """(window, sensor, n, revision) of all rows in order, and of those of the step without gaps."""
    found = []
    for one in (STEP, STEP.model_copy(update={"fill_gaps": None})):
        random = np.random.default_rng(seed)
        step = one.operator(SCHEMA, "")
        shards = Shards(step, random)
        rows: list[Any] = []

        def take(outputs: Any, rows: list[Any] = rows) -> None:
            for _, batch in outputs:
                starts = micros(batch.column("window_start")).tolist()
                rows += [
                    (start, row["sensor"], row["n"], row["mean"], row["revision"])
                    for start, row in zip(starts, batch.to_pylist(), strict=True)
                ]

        for part, reached in deliveries(stream, random):
            shards.take(step.route(batch_of(part)))
            for shard in range(2):
                if random.random() < 0.6:
                    take(shards.advance(shard, reached))
        for shard in range(2):
            take(shards.advance(shard, FOREVER, end_of(stream)))
        found.append(sorted(rows, key=str))
    return found[0], found[1]


@settings(max_examples=80)
@given(partitions, st.integers(0, 99))
def test_gap_rows_equal_those_of_a_loop(
    drawn: list[list[tuple[str, int, float | None]]], seed: int
) -> None:
    stream = rows_of(drawn)
    every, real = filled(stream, seed)
    gaps = []
    for sensor in {row[1] for row in real}:
        windows = sorted(row[0] for row in real if row[1] == sensor and row[4] == 0)
        for window, following in zip(windows, [*windows[1:], FOREVER][: len(windows)], strict=True):
            at = window + EVERY
            while at < following and at < window + EVERY + KEEP:
                if following < FOREVER or at + EVERY <= end_of(stream):
                    gaps.append((at, sensor, 0, None, 0))
                at += EVERY
    assert every == sorted([*real, *gaps], key=str)


def test_the_state_forgets_a_key_after_fill_gaps() -> None:
    step = STEP.operator(SCHEMA, "")
    assert isinstance(step, GapFillingOperator)
    shards = Shards(step, np.random.default_rng(1))
    shards.take(step.route(batch_of(rows_of([[("a", 0, 1.0)]])[0])))
    shard = next(iter(shards.logs))
    given_ = [batch.num_rows for _, batch in shards.advance(shard, START + 600 * SECOND)]
    assert sum(given_) == 1 + 5
    assert shards.advance(shard, START + 900 * SECOND) == []
    advanced = step.advance(shards.states[shard], [], START + 901 * SECOND, None, {})
    assert advanced.due is None


@pytest.mark.parametrize("written", [{"session": "5 s", "by": ["sensor"]}, {"every": "5 s"}])
def test_gaps_need_keys_and_windows_that_follow_one_another(written: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="`fill_gaps` is a time over 0"):
        Aggregate.model_validate({**written, "fill_gaps": "1 min", "measures": {"n": "count()"}})
