"""Shift finds the earlier and later rows that a loop finds, for any batches and interleaving."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.streams import (
    SCHEMA,
    SECOND,
    Row,
    Shards,
    batch_of,
    deliveries,
    partitions,
    rows_of,
)
from tocsin.foundation.faults import Faults
from tocsin.kernels.batch import FOREVER
from tocsin.steps.ordered.shift import Shift

WITHIN = 7
STEP = {
    "by": ["sensor"],
    "previous": {"before": "value", "third": {"of": "value", "rows": 3}},
    "latest": {"known": "value"},
    "next": {"after": "value"},
    "within": f"{WITHIN} s",
    "since_previous": "gap",
    "followed": "followed",
    "shards": 2,
}
NAMES = [
    "sensor",
    "_event_time",
    "_offset",
    "_partition",
    "value",
    "before",
    "third",
    "known",
    "after",
    "gap",
    "followed",
]


def shifted(stream: list[list[Row]], seed: int) -> tuple[list[tuple[Any, ...]], int]:
    random = np.random.default_rng(seed)
    step = Shift.model_validate(STEP).operator(SCHEMA, "")
    shards = Shards(step, random)
    found: list[tuple[Any, ...]] = []
    late = 0

    def take(outputs: list[tuple[str, pa.RecordBatch]]) -> None:
        found.extend(
            tuple(row[name] for name in NAMES) for _, batch in outputs for row in batch.to_pylist()
        )

    for rows, reached in deliveries(stream, random):
        routed = step.route(batch_of(rows))
        late += routed.counts["late"]
        shards.take(routed)
        for shard in range(2):
            if random.random() < 0.7:
                take(shards.advance(shard, reached))
    for shard in range(2):
        take(shards.advance(shard, FOREVER, end_of(stream)))
    return sorted(found, key=str), late


def end_of(stream: list[list[Row]]) -> int:
    return min(max(row.time - 5 * SECOND for row in rows) for rows in stream)


def expected(stream: list[list[Row]]) -> tuple[list[tuple[Any, ...]], int]:
    every = [row for rows in stream for row in rows]
    known = sorted(
        (r for r in every if r.time >= r.watermark), key=lambda r: (r.time, r.partition, r.offset)
    )
    found = []
    for sensor in sorted({row.sensor for row in known}):
        mine = [row for row in known if row.sensor == sensor]
        for at, row in enumerate(mine):
            back = mine[at - 1] if at else None
            third = mine[at - 3] if at >= 3 else None
            latest = next((one.value for one in reversed(mine[:at]) if one.value is not None), None)
            after = (
                mine[at + 1]
                if at + 1 < len(mine) and mine[at + 1].time - row.time <= WITHIN * SECOND
                else None
            )
            followed = (
                True if after else None if row.time + WITHIN * SECOND >= end_of(stream) else False
            )
            when = batch_of([row]).column("_event_time")[0].as_py()
            found.append(
                (
                    sensor,
                    when,
                    row.offset,
                    row.partition,
                    row.value,
                    back and back.value,
                    third and third.value,
                    latest,
                    after and after.value,
                    None if back is None else (row.time - back.time) / SECOND,
                    followed,
                )
            )
    return sorted(found, key=str), len(every) - len(known)


@pytest.mark.parametrize("spent", [0, 4_000])
@settings(max_examples=80)
@given(drawn=partitions, seed=st.integers(0, 99))
def test_shifted_columns_equal_those_of_a_loop(spent: int, drawn: Any, seed: int) -> None:
    stream = rows_of(drawn)
    # However soon what is no longer needed is left out.
    with mock.patch("tocsin.steps.state.row_log._SPENT", spent):
        assert shifted(stream, seed) == expected(stream)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"previous": {"before": "valeu"}}, "no column 'valeu'"),
        ({"previous": {"value": "value"}}, "there is a column 'value' already"),
        ({"by": ["nobody"]}, "no column 'nobody'"),
        ({"followed": "_followed"}, "underscore"),
    ],
)
def test_mistakes_are_reported(change: dict[str, Any], why: str) -> None:
    with pytest.raises(Faults, match=why):
        Shift.model_validate({**STEP, **change}).output_schema(SCHEMA)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"by": ["sensor"]}, "needs one of"),
        ({"by": ["sensor"], "followed": "followed"}, "need `within`"),
        ({"by": ["sensor"], "previous": {"b": "value"}, "within": "1 s"}, "needs one of them"),
        ({"by": ["sensor"], "followed": "f", "within": "100 ms"}, "whole number of seconds"),
    ],
)
def test_contradictory_settings_are_refused(written: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Shift.model_validate(written)


def test_the_latest_value_is_kept_through_any_number_of_nulls() -> None:
    step = {"by": ["sensor"], "latest": {"known": "value"}, "shards": 1}
    operator = Shift.model_validate(step).operator(SCHEMA, "")
    values = [5.0, None, None, None, None, 6.0, None]
    (rows,) = rows_of([[("a", 10 * at, value) for at, value in enumerate(values)]])
    state: list[bytes] = []
    log: list[pa.RecordBatch] = []
    known: list[Any] = []
    for row in rows:
        ((_, part),) = operator.route(batch_of([row])).by_shard
        advanced = operator.advance(state, [*log, part], row.time + SECOND, None)
        state, log = advanced.state, [*log, part] if advanced.log is None else advanced.log
        known += [one for _, batch in advanced.outputs for one in batch.column("known").to_pylist()]
    assert known == [None, 5.0, 5.0, 5.0, 5.0, 5.0, 6.0]


def test_rows_are_due_at_the_second_after_them_and_the_lookahead() -> None:
    step = Shift.model_validate(STEP).operator(SCHEMA, "")
    (rows,) = rows_of([[("a", 12, 1.0), ("a", 11, 2.0)]])
    assert step.due(batch_of(rows)) == rows[1].time + (1 + WITHIN) * SECOND
    assert step.due(batch_of([])) is None
