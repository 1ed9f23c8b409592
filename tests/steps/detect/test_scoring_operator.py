"""Scores and alarms are the same for any batches, interleaving and firing times."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.support.streams import (
    LATENESS,
    OUT_OF_ORDERNESS,
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
from tocsin.alarms.event import AlarmRule
from tocsin.kernels.batch import FOREVER, micros, readings_schema
from tocsin.steps.detect.detection import PLACE
from tocsin.steps.detect.step import Detect

SPIKE = Detect.model_validate(
    {
        "of": "value",
        "by": ["sensor"],
        "with": {"z_score": {"window": 5, "warm_up": 3, "threshold": 1.5}},
        "shards": 2,
        "alarm": {"raise_after": 1, "clear_after": 2},
    }
)
SILENT = Detect.model_validate(
    {"of": "value", "by": ["sensor"], "with": {"missing_data": {"after": "12 s"}}, "shards": 2}
)
# The sensors move with every row, and some rows say no position.
MOVING = readings_schema(
    [*(SCHEMA.field(at) for at in range(2)), *(pa.field(name, pa.float64()) for name in PLACE)],
    topic="t",
    allowed_lateness=LATENESS,
)


def moving(rows: list[Row]) -> pa.RecordBatch:
    batch = batch_of(rows)
    places = [
        pa.array([None if row.offset % 3 == 2 else base + row.offset / 100 for row in rows])
        for base in (48.0, -2.0)
    ]
    columns = [*batch.columns[:2], *(place.cast(pa.float64()) for place in places)]
    return pa.RecordBatch.from_arrays([*columns, *batch.columns[2:]], schema=MOVING)


def run(
    step: Detect, stream: list[tuple[list[Row], int]], random: np.random.Generator, end: int | None
) -> tuple[list[Any], list[Any], int]:
    """Scores, alarms and late rows of shards that are advanced at random watermarks."""
    operator = step.operator(MOVING, "rule")
    shards = Shards(operator, random)
    scores, alarms, late = [], [], 0

    def advance(shard: int, time: int) -> None:
        for tag, batch in shards.advance(shard, time, end):
            for row, at in zip(batch.to_pylist(), micros(batch.column("_event_time")), strict=True):
                if tag == "output":
                    scores.append((row["_partition"], row["_offset"], row["score"]))
                else:
                    assert tag == "alarms"
                    assert at < max(time, START) + SECOND
                    alarms.append(
                        (
                            row["alarm_id"],
                            row["event"],
                            row["key"],
                            row["time"],
                            row["started_at"],
                            row["score"],
                            # Further columns may not depend on the runner either.
                            {name: str(value) for name, value in row.items()},
                        )
                    )

    for rows, watermark in stream:
        routed = operator.route(moving(rows))
        late += routed.counts["late"]
        shards.take(routed)
        if random.random() < 0.5:
            for shard in range(step.shards):
                advance(shard, watermark // SECOND * SECOND)
    for shard in range(step.shards):
        advance(shard, FOREVER)
    return sorted(scores, key=str), sorted(alarms, key=str), late


@given(partitions, st.integers(0, 100), st.integers(0, 100))
def test_scores_and_alarms_do_not_depend_on_the_runner(streams: Any, one: int, other: int) -> None:
    rows = rows_of(streams)
    for step in (SPIKE, SILENT):
        results = []
        for seed in (one, other):
            random = np.random.default_rng(seed)
            results.append(run(step, deliveries(rows, random), random, _end(rows)))
        assert results[0] == results[1]
        late = sum(row.time < row.watermark for partition in rows for row in partition)
        assert results[0][2] == late
        assert len(results[0][0]) == sum(map(len, rows)) - late


def _end(rows: list[list[Row]]) -> int:
    return min(max(row.time for row in partition) - OUT_OF_ORDERNESS for partition in rows)


@given(partitions, st.integers(0, 100))
def test_silence_is_what_a_loop_over_the_sorted_readings_finds(streams: Any, seed: int) -> None:
    rows = rows_of(streams)
    random = np.random.default_rng(seed)
    end = _end(rows)
    _, alarms, _ = run(SILENT, deliveries(rows, random), random, end)
    kept = sorted(
        (r for p in rows for r in p if r.time >= r.watermark and r.value is not None),
        key=lambda r: r.time,
    )
    expected = set()
    for sensor in "abc":
        times = [row.time for row in kept if row.sensor == sensor]
        for before, after in itertools.pairwise(times):
            if after > before + 12 * SECOND:
                expected |= {("raise", sensor, before + 12 * SECOND), ("clear", sensor, after)}
        if times and times[-1] + 12 * SECOND < end:
            expected.add(("raise", sensor, times[-1] + 12 * SECOND))
    came = {
        (event, key.removeprefix("sensor="), round(time.timestamp() * SECOND))
        for _, event, key, time, *_ in alarms
    }
    assert came == expected
    assert len(alarms) == len(expected)


def test_the_end_of_a_bounded_input_is_not_silence() -> None:
    rows = rows_of([[("a", 0, 1.0), ("b", 0, 1.0), ("b", 30, 1.0)]])
    random = np.random.default_rng(0)
    _, alarms, _ = run(SILENT, deliveries(rows, random), random, START + 25 * SECOND)
    assert [(alarm[1], alarm[2]) for alarm in alarms if alarm[2] == "sensor=a"] == [
        ("raise", "sensor=a")
    ]
    assert [alarm[1] for alarm in alarms if alarm[2] == "sensor=b"] == ["clear", "raise"]
    _, alarms, _ = run(SILENT, deliveries(rows_of([[("a", 0, 1.0)]]), random), random, None)
    assert alarms == []


def test_a_silent_sensor_raises_without_a_new_row_while_other_rows_arrive() -> None:
    operator = SILENT.operator(SCHEMA, "rule")
    ((_, part),) = operator.route(batch_of(rows_of([[("a", 0, 1.0)]])[0])).by_shard
    first = operator.advance([], [part], START + SECOND, None)
    assert first.due is not None
    assert first.due > START + 12 * SECOND
    later = operator.advance(first.state, [], first.due, None)
    ((tag, batch),) = later.outputs
    assert (tag, batch.column("event").to_pylist()) == ("alarms", ["raise"])
    assert operator.advance(later.state, [], first.due + 100 * SECOND, None).outputs == []


def test_an_alarm_states_the_observed_and_the_expected_value() -> None:
    step = Detect.model_validate(
        {"of": "value", "by": ["sensor"], "with": {"threshold": {"above": 50}}}
    )
    operator = step.operator(SCHEMA, "air/Limit")
    ((_, part),) = operator.route(batch_of(rows_of([[("a", 0, 75.0)]])[0])).by_shard
    alarm = dict(operator.advance([], [part], FOREVER, None).outputs)["alarms"].to_pylist()[0]
    assert (
        alarm["message"] == "value of sensor=a was 75, expected below 50 (score 1.5, alarm from 1)"
    )
    assert (alarm["rule"], alarm["detector"], alarm["observed"], alarm["labels"]) == (
        "air/Limit",
        "threshold",
        75.0,
        [("sensor", "a")],
    )


def test_auto_raises_once_for_a_lasting_anomaly_whatever_the_batches() -> None:
    step = Detect.model_validate({"of": "value", "by": ["sensor"], "with": "auto", "shards": 2})
    assert step.detection("rule").detector.clear_below == 0.5
    values = np.sin(np.arange(600) / 8) + 0.1 * np.random.default_rng(0).normal(size=600)
    values[500:520] += 8
    rows = rows_of([[("a", at, float(value)) for at, value in enumerate(values)]])
    found = []
    for seed in (1, 2):
        random = np.random.default_rng(seed)
        scores, alarms, late = run(step, deliveries(rows, random), random, _end(rows))
        assert len(scores) == 600 - late
        found.append((scores, alarms))
    assert found[0] == found[1]
    raised = [
        round(alarm[4].timestamp() * SECOND - START) // SECOND
        for alarm in found[0][1]
        if alarm[1] == "raise"
    ]
    assert len(raised) == 1
    assert 500 <= raised[0] < 505


def test_an_alarm_escalates_with_its_score() -> None:
    rule = {"severity": "low", "escalate": {"high": 1.4, "critical": 1.9}}
    step = Detect.model_validate(
        {"of": "value", "by": ["sensor"], "with": {"threshold": {"above": 50}}, "alarm": rule}
    )
    values = (60.0, 70.0, 65.0, 75.0, 120.0, 110.0, 10.0)
    rows = rows_of([[("a", at, value) for at, value in enumerate(values)]])
    operator = step.operator(SCHEMA, "air/Limit")
    ((_, part),) = operator.route(batch_of(rows[0])).by_shard
    alarms = dict(operator.advance([], [part], FOREVER, None).outputs)["alarms"].to_pylist()
    assert [(alarm["event"], alarm["severity"], alarm["observed"]) for alarm in alarms] == [
        ("raise", "low", 60),
        ("escalate", "high", 70),
        ("step_down", "low", 65),
        ("escalate", "high", 75),
        ("escalate", "critical", 120),
        ("clear", "critical", 10),
    ]
    assert len({alarm["alarm_id"] for alarm in alarms}) == 1


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"raise_after": 3, "within": 2}, "fewer than the 3 scores"),
        ({"severity": "high", "escalate": {"low": 2}}, "over 'high'"),
        ({"escalate": {"critical": 2, "high": 3}}, "higher score"),
        ({"escalate": {"critical": 0.5}}, "over 1"),
    ],
)
def test_an_alarm_rule_that_contradicts_itself_is_refused(rule: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        AlarmRule.model_validate(rule)


REGISTRY = "sensor\na\nb\nghost\n"


def _silence_of(tmp_path: Path, **config: Any) -> Detect:
    (tmp_path / "sensors.csv").write_text(REGISTRY)
    detector = {"missing_data": {"after": "12 s", **config}}
    given = {
        "of": "value",
        "by": ["sensor"],
        "with": detector,
        "sensors": str(tmp_path / "sensors.csv"),
    }
    return Detect.model_validate(given, context={"folders": ["/"]})


def _events(
    step: Detect, rows: list[list[Row]], seed: int, end: int
) -> list[tuple[str, str, str, int]]:
    """Event, key, detector and second of each alarm event."""
    random = np.random.default_rng(seed)
    operator = step.operator(MOVING, "rule")
    shards = Shards(operator, random)
    found = []
    for part, watermark in deliveries(rows, random):
        shards.take(operator.route(moving(part)))
        if random.random() < 0.5:
            found += shards.advance(0, watermark // SECOND * SECOND, end)
    found += shards.advance(0, FOREVER, end)
    events = [row for tag, batch in found if tag == "alarms" for row in batch.to_pylist()]
    return sorted(
        (
            row["event"],
            row["key"],
            row["detector"],
            (round(row["time"].timestamp() * SECOND) - START) // SECOND,
        )
        for row in events
    )


def test_a_registered_sensor_that_never_reported_has_its_own_alarm(tmp_path: Path) -> None:
    speaking = [("a", at, 1.0) for at in range(0, 40, 2)] + [
        ("b", at, 1.0) for at in range(0, 40, 2)
    ]
    rows = rows_of([sorted([*speaking, ("ghost", 35, 1.0)], key=lambda row: row[1])])
    for seed in range(5):
        assert _events(_silence_of(tmp_path), rows, seed, START + 40 * SECOND) == [
            ("clear", "sensor=ghost", "never_seen", 35),
            ("raise", "sensor=ghost", "never_seen", 12),
        ]


def test_silence_of_the_whole_feed_is_one_alarm_and_no_alarm_of_its_sensors(tmp_path: Path) -> None:
    spoken = [
        (sensor, at, 1.0)
        for at in (*range(0, 20, 2), *range(60, 90, 2))
        for sensor in ("a", "b", "ghost")
    ]
    rows = rows_of([[row for row in spoken if row[0] != "b" or row[1] < 60]])
    expected = [
        ("clear", "feed", "feed_silence", 60),
        ("raise", "feed", "feed_silence", 23),
        # The feed came back at 60 and b did not: it has had its whole time again.
        ("raise", "sensor=b", "missing_data", 72),
    ]
    for seed in range(10):
        assert (
            _events(_silence_of(tmp_path, feed_after="5 s"), rows, seed, START + 89 * SECOND)
            == expected
        )


def test_a_sensor_that_was_silent_before_the_feed_has_an_alarm_at_any_firing_time(
    tmp_path: Path,
) -> None:
    spoken = [
        (sensor, at, 1.0)
        for at in (*range(0, 40, 2), *range(80, 90, 2))
        for sensor in ("a", "b", "ghost")
    ]
    rows = rows_of([[row for row in spoken if row[0] != "b" or row[1] < 3 or row[1] >= 80]])
    expected = [
        ("clear", "feed", "feed_silence", 80),
        ("clear", "sensor=b", "missing_data", 80),
        ("raise", "feed", "feed_silence", 43),
        ("raise", "sensor=b", "missing_data", 14),
    ]
    step = _silence_of(tmp_path, feed_after="5 s")
    for seed in range(10):
        assert _events(step, rows, seed, START + 89 * SECOND) == expected
    operator = step.operator(MOVING, "rule")
    shards = Shards(operator, np.random.default_rng(0))
    shards.take(operator.route(moving(rows[0])))
    at_once = [
        row
        for tag, batch in shards.advance(0, FOREVER, START + 89 * SECOND)
        if tag == "alarms"
        for row in batch.to_pylist()
    ]
    assert sorted((row["event"], row["key"]) for row in at_once) == [
        (event, key) for event, key, _, _ in expected
    ]


@given(partitions, st.integers(0, 100), st.integers(0, 100), st.booleans())
def test_the_three_silences_do_not_depend_on_the_runner(
    tmp_path_factory: pytest.TempPathFactory, streams: Any, one: int, other: int, has_feed: bool
) -> None:
    rows = rows_of(streams)
    step = _silence_of(
        tmp_path_factory.mktemp("registry"), **({"feed_after": "4 s"} if has_feed else {})
    )
    events = _events(step, rows, one, _end(rows))
    assert events == _events(step, rows, other, _end(rows))
    for key in {key for _, key, _, _ in events}:
        turns = [
            event
            for event, _ in sorted(
                ((e, t) for e, k, _, t in events if k == key), key=lambda x: (x[1], x[0])
            )
        ]
        assert abs(turns.count("raise") - turns.count("clear") - 0.5) == 0.5


def test_an_alarm_has_its_value_place_and_query() -> None:
    step = Detect.model_validate(
        {
            "of": "value",
            "by": ["sensor"],
            "with": {"threshold": {"above": 50}},
            "alarm": {"raise_after": 2},
            "lake": "air",
        }
    )
    operator = step.operator(SCHEMA, "air/Limit")
    ((_, part),) = operator.route(
        batch_of(rows_of([[("o'x", 0, 75.0), ("o'x", 60, 80.0)]])[0])
    ).by_shard
    (alarm,) = dict(operator.advance([], [part], FOREVER, None).outputs)["alarms"].to_pylist()
    assert (
        alarm["message"]
        == "value of sensor=o'x was 80, expected below 50 for 1 min (score 1.6, alarm from 1)"
    )
    assert (alarm["partition"], alarm["offset"], alarm["state"]) == (0, 1, "unacknowledged")
    assert len(alarm["rule_version"]) == 8
    assert alarm["lake_query"].startswith(
        "select * from air where sensor = 'o''x' and _event_time = timestamptz '"
    )


def test_nothing_is_kept_after_the_end_of_the_input() -> None:
    operator = SPIKE.operator(SCHEMA, "rule")
    (first,) = operator.route(batch_of(rows_of([[("a", 10, 1.0), ("a", 30, 1.0)]])[0])).by_shard
    advanced = operator.advance([], [first[1]], FOREVER, START + 60 * SECOND)
    assert (advanced.state, advanced.due) == ([], None)
