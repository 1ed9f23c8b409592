"""Late rows correct alarms: in the end they equal those of a job without late rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from tocsin.steps.detect.step import Detect

LATENESS = 20 * SECOND
COLUMNS = [
    pa.field("window_start", TIMESTAMP),
    pa.field("window_end", TIMESTAMP),
    pa.field("sensor", pa.string()),
    pa.field("mean", pa.float64()),
    pa.field("revision", pa.int32()),
]
SCHEMA = with_traits(
    readings_schema(COLUMNS, topic="t", allowed_lateness=LATENESS),
    aggregated=True,
    keys=("sensor",),
)
LIMIT = {
    "of": "mean",
    "by": ["sensor"],
    "with": {"threshold": {"above": 10}},
    "shards": 1,
    "revise": True,
}
DRIFT = {
    "of": "mean",
    "by": ["sensor"],
    "with": {"z_score": {"window": 5, "warm_up": 3, "threshold": 1.2}},
    "shards": 1,
    "revise": True,
}
# Windows of five seconds: (sensor, window, value on time or None, value with late rows or None).
Window = tuple[str, int, float | None, float | None]


def batch_of(rows: list[tuple[str, int, float, int]]) -> pa.RecordBatch:
    """(sensor, window, value, revision)."""
    starts = np.array([START + window * 5 * SECOND for _, window, _, _ in rows], np.int64)
    columns = [
        timestamps(starts),
        timestamps(starts + 5 * SECOND),
        pa.array([sensor for sensor, *_ in rows], pa.string()),
        pa.array([value for _, _, value, _ in rows], pa.float64()),
        pa.array([revision for *_, revision in rows], pa.int32()),
        timestamps(starts + 5 * SECOND - 1),
        *(pa.nulls(len(rows), field.type) for field in SYSTEM_FIELDS[1:]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def come(row: tuple[str, int, float, int]) -> int:
    return START + (row[1] + 1) * 5 * SECOND - 1 + row[3] * LATENESS


def events(step: Detect, windows: list[Window], seed: int, cuts: int) -> list[dict[str, Any]]:
    """Alarm events in the order of their emission."""
    random = np.random.default_rng(seed)
    operator = step.operator(SCHEMA, "rule")
    rows = [(s, w, v, 0) for s, w, v, _ in windows if v is not None] + [
        (s, w, v, 1) for s, w, _, v in windows if v is not None
    ]
    rows.sort(key=lambda row: (come(row), row))
    shards = Shards(operator, random)
    found, passed = [], 0
    for mark in sorted(random.integers(0, 200, cuts)):
        time = START + int(mark) * SECOND
        here = [row for row in rows[passed:] if come(row) < time]
        passed += len(here)
        if here:
            shards.take(
                operator.route(batch_of([here[at] for at in random.permutation(len(here))]))
            )
        found += shards.advance(0, time)
    if rows[passed:]:
        shards.take(operator.route(batch_of(rows[passed:])))
    found += shards.advance(0, FOREVER, START + 1000 * SECOND)
    return [row for tag, batch in found if tag == "alarms" for row in batch.to_pylist()]


def net(emitted: list[dict[str, Any]]) -> dict[str, Any]:
    """Alarms that remain for a reader of all events: the end of each by its start."""
    alarms: dict[str, Any] = {}
    for row in emitted:
        one = row["alarm_id"]
        if row["event"] == "withdraw":
            assert one in alarms
            del alarms[one]
        elif row["event"] == "raise":
            assert one not in alarms
            alarms[one] = None
        elif row["event"] == "resume":
            assert alarms[one] is not None
            alarms[one] = None
        elif row["event"] == "clear":
            alarms[one] = row["time"]
    return alarms


values = st.none() | st.sampled_from([1.0, 2.0, 5.0, 12.0, 30.0])
windows = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 30), values, values),
    min_size=1,
    max_size=40,
    unique_by=lambda w: w[:2],
)


@settings(max_examples=150)
@given(windows, st.integers(0, 99), st.integers(0, 99), st.integers(1, 2), st.integers(1, 2))
def test_in_the_end_alarms_equal_those_of_a_job_without_late_rows(
    given_windows: list[Window], one: int, other: int, up: int, down: int
) -> None:
    for config in (LIMIT, DRIFT):
        step = Detect.model_validate({**config, "alarm": {"raise_after": up, "clear_after": down}})
        emitted = events(step, given_windows, one, 6)
        again = events(step, given_windows, other, 0)
        key = lambda row: (row["alarm_id"], row["event"], row["time"], str(row["reason"]))  # noqa: E731
        assert sorted(map(key, emitted)) == sorted(map(key, again))
        plain = step.operator(SCHEMA, "rule")
        final = [
            (s, w, late if late is not None else on_time, 0)
            for s, w, on_time, late in given_windows
        ]
        truth = [row for row in final if row[2] is not None]
        outputs = plain.advance([], [batch_of(truth)] if truth else [], FOREVER, None).outputs  # type: ignore[arg-type]
        expected = [row for tag, batch in outputs if tag == "alarms" for row in batch.to_pylist()]
        assert net(emitted) == net(expected)


def test_an_alarm_is_withdrawn_raised_or_resumed_with_the_reason_revised() -> None:
    step = Detect.model_validate(LIMIT)
    spoken = [
        ("a", 0, 20.0, 5.0),
        ("a", 1, 5.0, None),
        ("a", 2, 5.0, 30.0),
        ("a", 3, 5.0, None),
        ("a", 10, 5.0, None),
    ]
    emitted = [
        (row["event"], row["reason"], row["time"].second, row["observed"])
        for row in events(step, spoken, 0, 5)
    ]
    assert emitted == [
        ("raise", None, 5, 20.0),
        ("clear", None, 10, 5.0),
        ("withdraw", "revised", 24, 20.0),
        ("raise", "revised", 15, 30.0),
        ("clear", "revised", 20, 5.0),
    ]
    going_on = [
        ("a", 0, 20.0, None),
        ("a", 1, 5.0, 20.0),
        ("a", 2, None, 20.0),
        ("a", 9, 5.0, None),
    ]
    emitted = [
        (row["event"], row["reason"], row["time"].second) for row in events(step, going_on, 0, 0)
    ]
    assert emitted == [
        ("raise", None, 5),
        ("clear", None, 10),
        ("resume", "revised", 29),
        ("clear", None, 50),
    ]


def test_revise_is_refused_for_readings_and_for_silence() -> None:
    readings = readings_schema(
        [pa.field("sensor", pa.string()), pa.field("mean", pa.float64())],
        topic="t",
        allowed_lateness=0,
    )
    with pytest.raises(Faults, match="only aggregates are revised"):
        Detect.model_validate(LIMIT).output_schema(readings)
    silent = {**LIMIT, "with": {"missing_data": {"after": "1 min"}}}
    with pytest.raises(Faults, match="judged by readings on time"):
        Detect.model_validate(silent).output_schema(SCHEMA)
