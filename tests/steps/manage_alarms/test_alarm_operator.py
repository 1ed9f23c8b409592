"""Alarm management: notifications, whatever the batch cuts, firing times and lost memory."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.support.streams import SECOND, START, Shards
from tocsin.alarms.event import ALARM_FIELDS, alarm_id
from tocsin.foundation.faults import Faults
from tocsin.kernels.batch import FOREVER, SYSTEM_FIELDS, micros, readings_schema, timestamps
from tocsin.kernels.state.keyed_block import from_ipc, to_ipc
from tocsin.steps.manage_alarms import alarm_operator
from tocsin.steps.manage_alarms.schedule import Schedule
from tocsin.steps.manage_alarms.settings import COMMAND_FIELDS
from tocsin.steps.manage_alarms.step import ManageAlarms
from tocsin.steps.state.union import united, united_schema

ALARMS = readings_schema(list(ALARM_FIELDS), topic="t", allowed_lateness=0)
COMMANDS = readings_schema(list(COMMAND_FIELDS), topic="c", allowed_lateness=0)
SCHEMA = united_schema([("alarms", ALARMS), ("commands", COMMANDS)])
MINUTE = 60 * SECOND
Event = tuple[int, str, str]


def alarm_batch(events: list[tuple[int, str, str, str, int]]) -> pa.RecordBatch:
    """Rows of both sides from (time, asset, event, severity, start)."""
    rows: dict[str, list[Any]] = {field.name: [] for field in ALARM_FIELDS}
    for time, asset, event, severity, start in events:
        row = {
            "alarm_id": alarm_id("rule", [("id", asset)], start),
            "event": event,
            "rule": "rule",
            "severity": severity,
            "key": f"id={asset}",
            "labels": [("id", asset)],
            "time": time,
            "started_at": start,
            "message": f"{asset} {event}",
        }
        for name, column in rows.items():
            column.append(row.get(name))
    columns = [pa.array(rows[field.name], field.type) for field in ALARM_FIELDS]
    moments = np.array([(time // SECOND + 1) * SECOND - 1 for time, *_ in events], np.int64)
    empty = [pa.nulls(len(events), field.type) for field in SYSTEM_FIELDS[1:]]
    return united(
        pa.RecordBatch.from_arrays([*columns, timestamps(moments), *empty], schema=ALARMS),
        "alarms",
        SCHEMA,
    )


def command_batch(
    time: int, command: str, asset: str, until: int | None = None, named: str | None = None
) -> pa.RecordBatch:
    """One command."""
    row = {
        "command": command,
        "rule": "rule",
        "key": f"id={asset}",
        "until": until,
        "by": "ann",
        "reason": None,
    }
    row |= {"alarm_id": named}
    columns = [pa.array([row[field.name]], field.type) for field in COMMAND_FIELDS]
    system = [
        timestamps(np.array([time])),
        *(pa.nulls(1, field.type) for field in SYSTEM_FIELDS[1:]),
    ]
    return united(
        pa.RecordBatch.from_arrays([*columns, *system], schema=COMMANDS), "commands", SCHEMA
    )


def raised_and_cleared(turns: list[tuple[str, int]]) -> list[tuple[int, str, str, str, int]]:
    """Alarm events of assets, raised and cleared by turns at seconds."""
    found, start = [], dict[str, int]()
    for asset, second in sorted(set(turns), key=lambda turn: turn[1]):
        time = START + second * SECOND
        begun = start.pop(asset, None)
        if begun is None:
            start[asset] = time
        found.append((time, asset, "clear" if begun else "raise", "medium", begun or time))
    return found


def outputs_of(
    step: ManageAlarms, parts: list[pa.RecordBatch], seed: int, end: int, cuts: int = 6
) -> dict[str, list[tuple[int, str, str, str | None, str]]]:
    """By output: (second, event, asset, reason, state, alarm_id)."""
    random = np.random.default_rng(seed)
    operator = step.operator(SCHEMA, "")
    shards = Shards(operator, random)
    rows = sorted(parts, key=lambda part: int(micros(part.column("_event_time"))[0]))
    found: dict[str, list[Any]] = defaultdict(list)
    marks = sorted(random.integers(0, (end - START) // SECOND + 1, cuts)) if cuts else []
    outputs, passed = [], 0
    for mark in marks:
        time = START + int(mark) * SECOND
        here = [
            part
            for part in rows[passed:]
            if int(micros(part.column("_event_time"))[0]) < time + 3 * SECOND
        ]
        passed += len(here)
        for at in random.permutation(len(here)):
            shards.take(operator.route(here[at]))
        outputs += shards.advance(0, time, None)
    for at in random.permutation(len(rows) - passed):
        shards.take(operator.route(rows[passed + int(at)]))
    outputs += shards.advance(0, FOREVER, end)
    for name, batch in outputs:
        for row in batch.to_pylist():
            if name == "health":
                found[name].append(
                    tuple(
                        row[field]
                        for field in (
                            "window_start",
                            "raised",
                            "standing",
                            "suppressed",
                            "flapping",
                        )
                    )
                )
            elif name == "refused":
                found[name].append((row["command"], row["message"]))
            else:
                second = (micros(pa.array([row["time"]]))[0] - START) / SECOND
                found[name].append(
                    (
                        second,
                        row["event"],
                        row["key"].removeprefix("id="),
                        row["reason"],
                        row["state"],
                        row["alarm_id"],
                    )
                )
    return {name: sorted(rows, key=str) for name, rows in found.items()}


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("topology") / "topology.csv"
    path.write_text("child,parent\ncam-1,switch\ncam-2,switch\nswitch,link\n")
    return str(path)


def step_of(**config: Any) -> ManageAlarms:
    return ManageAlarms.model_validate(config, context={"folders": ["/"]})


def each(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    return [batch.slice(at, 1) for at in range(batch.num_rows)]


turns = st.lists(
    st.tuples(st.sampled_from(["cam-1", "cam-2", "switch", "link", "x"]), st.integers(0, 600)),
    min_size=1,
    max_size=40,
)
commands = st.lists(
    st.tuples(
        st.sampled_from(["acknowledge", "shelve", "unshelve"]),
        st.sampled_from(["cam-1", "link", "x"]),
        st.integers(0, 600),
        st.integers(1, 200),
    ),
    max_size=8,
)


@settings(max_examples=60)
@given(turns, commands, st.integers(0, 99), st.integers(0, 99), st.booleans(), st.booleans())
def test_notifications_do_not_depend_on_the_runner_and_alternate_raise_and_clear(
    topology: str, lives: Any, said: Any, one: int, other: int, waits: bool, has_hours: bool
) -> None:
    hours = {"time_zone": "UTC", "active": ["10:01-10:04", "10:06-10:09"]} if has_hours else None
    step = step_of(
        inhibit={"table": topology, "by": ["id"], "wait": "20 s" if waits else "0 s"},
        flapping={"raises": 3, "within": "2 min", "quiet": "1 min"},
        schedule=hours,
        health={"every": "1 min"},
    )
    parts = each(alarm_batch(raised_and_cleared(lives)))
    for command, asset, second, longer in said:
        at = START + second * SECOND
        parts.append(
            command_batch(at, command, asset, at + longer * SECOND if command == "shelve" else None)
        )
    end = START + 700 * SECOND
    found = outputs_of(step, parts, one, end)
    assert found == outputs_of(step, parts, other, end, cuts=0)
    announced: dict[str, list[str]] = defaultdict(list)
    for second, event, asset, _, _, alarm in sorted(
        found.get("output", []), key=lambda row: row[0]
    ):
        assert second >= 0
        if event in ("raise", "clear"):
            announced[asset].append(f"{event} {alarm}")
    for events in announced.values():
        raised = [event.removeprefix("raise ") for event in events[::2]]
        assert [event.partition(" ")[0] for event in events] == ["raise", "clear"] * (
            len(events) // 2
        ) + ["raise"] * (len(events) % 2)
        assert [event.removeprefix("clear ") for event in events[1::2]] == raised[
            : len(events) // 2
        ]
        assert len(set(raised)) == len(raised)
    # No alarm is lost: it is announced, suppressed with a reason, or part of a flapping alarm.
    known = {row[5] for name in ("output", "suppressed") for row in found.get(name, [])}
    flapping = {
        asset for _, _, asset, reason, _, _ in found.get("output", []) if reason == "flapping"
    }
    for time, asset, event, _, start in raised_and_cleared(lives):
        if event == "raise" and time < end and asset not in flapping:
            assert alarm_id("rule", [("id", asset)], start) in known


@given(turns, st.integers(0, 99))
@settings(max_examples=25)
def test_the_compiled_kernel_equals_the_plain_one(topology: str, lives: Any, seed: int) -> None:
    step = step_of(inhibit={"table": topology, "by": ["id"], "wait": "5 s"}, flapping={"raises": 2})
    parts = each(alarm_batch(raised_and_cleared(lives)))
    compiled = outputs_of(step, parts, seed, START + 700 * SECOND)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(alarm_operator, "manage", alarm_operator.manage.plain)
        assert outputs_of(step, parts, seed, START + 700 * SECOND) == compiled


def test_a_link_that_is_down_suppresses_its_cameras_until_it_returns_to_normal(
    topology: str,
) -> None:
    step = step_of(inhibit={"table": topology, "by": ["id"], "wait": "20 s"})
    lives = [("cam-1", 10), ("cam-2", 11), ("link", 15), ("link", 300), ("cam-1", 305)]
    found = outputs_of(step, [alarm_batch(raised_and_cleared(lives))], 0, START + 600 * SECOND)
    assert [row[:4] for row in found["output"]] == [
        (15.0, "raise", "link", None),
        (300.0, "clear", "link", None),
        (320.0, "raise", "cam-2", "no longer waiting for an upstream alarm"),
    ]
    suppressed = [row[:3] for row in found["suppressed"]]
    assert suppressed == [
        (10.0, "raise", "cam-1"),
        (11.0, "raise", "cam-2"),
        (305.0, "clear", "cam-1"),
    ]


def test_an_acknowledgement_is_for_one_episode_and_an_escalation_needs_another() -> None:
    start = START + 10 * SECOND
    rows = [
        (start, "x", "raise", "low", start),
        (start + MINUTE, "x", "escalate", "critical", start),
    ]
    rows += [(start + 2 * MINUTE, "x", "clear", "critical", start)]
    mine, not_mine = alarm_id("rule", [("id", "x")], start), "0" * 32
    said = [
        command_batch(start + SECOND, "acknowledge", "x", named=mine),
        command_batch(start + 2 * SECOND, "acknowledge", "x", named=not_mine),
        command_batch(start + 3 * MINUTE, "acknowledge", "x"),
        command_batch(start + 3 * MINUTE, "shelve", "x"),
        command_batch(start + 3 * MINUTE, "dance", "x"),
    ]
    found = outputs_of(step_of(), [*each(alarm_batch(rows)), *said], 1, START + 600 * SECOND)
    assert [
        (row[1], row[3], row[4]) for row in sorted(found["output"], key=lambda row: row[0])
    ] == [
        ("raise", None, "unacknowledged"),
        ("acknowledge", "by ann", "acknowledged"),
        ("escalate", None, "unacknowledged"),
        ("clear", None, "returned_unacknowledged"),
        ("acknowledge", "by ann", "normal"),
    ]
    assert [name for name, _ in found["refused"]] == ["acknowledge", "dance", "shelve"]


def test_shelving_ends_by_itself_and_a_flapping_alarm_is_reported_once() -> None:
    said = [command_batch(START + SECOND, "shelve", "x", START + 100 * SECOND)]
    found = outputs_of(
        step_of(),
        [*each(alarm_batch(raised_and_cleared([("x", 5)]))), *said],
        2,
        START + 600 * SECOND,
    )
    assert [row[:4] for row in found["output"]] == [(100.0, "raise", "x", "no longer shelved")]
    flaps = [("y", second) for second in range(0, 200, 10)]
    found = outputs_of(
        step_of(flapping={"raises": 3, "within": "5 min", "quiet": "2 min"}),
        [alarm_batch(raised_and_cleared(flaps))],
        2,
        START + 600 * SECOND,
    )
    events = sorted((row[0], row[1]) for row in found["output"])
    assert events == [
        (0, "raise"),
        (10, "clear"),
        (20, "raise"),
        (30, "clear"),
        (40, "raise"),
        (310, "clear"),
    ]


def test_hours_are_local_and_right_when_the_clock_changes() -> None:
    hours = Schedule(time_zone="Europe/Paris", active=["Mon-Fri 07:00-19:00"])
    day = int(datetime(2026, 3, 26, tzinfo=UTC).timestamp() * SECOND)
    opens, closes = hours.spans(day, day + 5 * 86_400 * SECOND)
    spans = {
        datetime.fromtimestamp(o / SECOND, UTC): datetime.fromtimestamp(c / SECOND, UTC)
        for o, c in zip(opens, closes, strict=True)
    }
    # On 29 March 2026 clocks in Paris go from UTC+1 to UTC+2.
    assert spans[datetime(2026, 3, 27, 6, tzinfo=UTC)] == datetime(2026, 3, 27, 18, tzinfo=UTC)
    assert spans[datetime(2026, 3, 30, 5, tzinfo=UTC)] == datetime(2026, 3, 30, 17, tzinfo=UTC)
    assert datetime(2026, 3, 28, 6, tzinfo=UTC) not in spans
    night = Schedule(time_zone="Europe/Paris", active=["Sun 01:00-04:00"])
    autumn = int(datetime(2026, 10, 25, tzinfo=UTC).timestamp() * SECOND)
    for first, hours_long in ((day, 2), (autumn, 4)):
        opens, closes = night.spans(first, first)
        here = [
            (c - o) / 3600 / SECOND
            for o, c in zip(opens, closes, strict=True)
            if first - 86_400 * SECOND <= o < first + 4 * 86_400 * SECOND
        ]
        assert hours_long in here


def test_opening_times_are_exact_to_the_microsecond() -> None:
    schedule = Schedule.model_validate({"time_zone": "UTC", "active": ["10:05-11:00"]})
    opens, closes = schedule.spans(float(START), float(START))
    midnight = START // (86_400 * SECOND) * 86_400 * SECOND
    assert midnight + 36_300 * SECOND in opens
    assert midnight + 39_600 * SECOND in closes


def test_outside_of_the_schedule_an_alarm_waits_unless_it_is_severe() -> None:
    schedule = {"time_zone": "UTC", "active": ["10:05-11:00"], "unless": "critical"}
    rows = [
        (START, "x", "raise", "low", START),
        (START + SECOND, "y", "raise", "critical", START + SECOND),
    ]
    found = outputs_of(step_of(schedule=schedule), [alarm_batch(rows)], 3, START + 900 * SECOND)
    assert [row[:4] for row in found["output"]] == [
        (1.0, "raise", "y", None),
        (300.0, "raise", "x", "no longer outside of its schedule"),
    ]


def test_health_reports_a_flood() -> None:
    rows = [
        (START + at * SECOND, f"t{at}", "raise", "high" if at % 2 else "low", START + at * SECOND)
        for at in range(24)
    ]
    operator = step_of(health={"every": "10 min", "operators": 2}).operator(SCHEMA, "")
    outputs = operator.advance([], [alarm_batch(rows)], FOREVER, START + 1300 * SECOND).outputs
    first, second = dict(outputs)["health"].to_pylist()
    assert (
        first["raised"],
        first["raised_high"],
        first["raised_low"],
        first["raised_per_operator"],
    ) == (24, 12, 12, 12.0)
    assert (first["flood"], first["standing"], first["unacknowledged"]) == (True, 24, 24)
    assert (second["raised"], second["flood"], second["standing"]) == (0, False, 24)


def test_alarms_that_are_over_are_forgotten() -> None:
    operator = step_of(flapping=None).operator(united_schema([("alarms", ALARMS)]), "")
    rows = [
        event
        for at in range(100)
        for event in raised_and_cleared([(f"t{at}", at), (f"t{at}", at + 1)])
    ]
    batch = (
        alarm_batch(rows)
        .select(operator.shard_schema.names)
        .replace_schema_metadata(operator.shard_schema.metadata)
    )
    few = operator.advance([], [batch], START + 500 * SECOND, None)
    assert sum(map(len, few.state)) < 12_000


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (
            {"schedule": {"time_zone": "Mars/Olympus", "active": ["Mon 10:00-11:00"]}},
            "no time zone 'Mars/Olympus'",
        ),
        ({"schedule": {"time_zone": "UTC", "active": ["Monday"]}}, "are no hours"),
        ({"schedule": {"time_zone": "UTC", "active": ["25:00-26:00"]}}, "no clock shows"),
        ({"flapping": {"raises": 99}}, "less than or equal to 8"),
    ],
)
def test_a_wrong_configuration_is_refused(config: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        step_of(**config)


def test_a_topology_with_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "circle.csv").write_text("child,parent\na,b\nb,a\n")
    step = step_of(inhibit={"table": str(tmp_path / "circle.csv"), "by": ["id"]})
    with pytest.raises(Faults, match="depends on itself"):
        step.outputs(SCHEMA)
    with pytest.raises(Faults, match="takes alarm events"):
        step_of().outputs(united_schema([("alarms", COMMANDS)]))


def test_a_flood_of_a_hundred_thousand_alarms_notifies_once_per_alarm() -> None:
    count = 100_000
    started = np.arange(count, dtype=np.int64) % 1000 + START
    ids = pa.array([f"{n:032x}" for n in range(count)])
    known = {
        "alarm_id": ids,
        "event": pa.repeat("raise", count),
        "rule": pa.repeat("rule", count),
        "severity": pa.repeat("high", count),
        "key": pa.array([f"id=t{n}" for n in range(count)]),
        "time": timestamps(started),
        "started_at": timestamps(started),
    }
    columns = [known[f.name] if f.name in known else pa.nulls(count, f.type) for f in ALARM_FIELDS]
    moment = timestamps(np.full(count, START + SECOND - 1, np.int64))
    empty = [pa.nulls(count, field.type) for field in SYSTEM_FIELDS[1:]]
    batch = united(
        pa.RecordBatch.from_arrays([*columns, moment, *empty], schema=ALARMS), "alarms", SCHEMA
    )
    operator = step_of().operator(SCHEMA, "")
    first = operator.advance([], [batch], START + 2 * SECOND, None)
    output = dict(first.outputs)["output"]
    assert sorted(output.column("alarm_id").to_pylist()) == sorted(ids.to_pylist())
    # The same events again, as after a restart: no second notification.
    again = operator.advance(
        [bytes(bytearray(piece)) for piece in first.state], [batch], START + 3 * SECOND, None
    )
    assert [name for name, _ in again.outputs] == []
    (health,) = dict(operator.advance(again.state, [], START + 700 * SECOND, None).outputs)[
        "health"
    ].to_pylist()
    assert (health["raised"], health["flood"], health["standing"]) == (count, True, count)


def test_the_state_of_another_version_is_refused() -> None:
    operator = step_of().operator(SCHEMA, "")
    block, rows = operator.advance([], [], START, None).state
    batch = from_ipc(rows)
    older = to_ipc(batch.replace_schema_metadata({"tocsin.annunciator": '{"version": 1}'}))
    with pytest.raises(ValueError, match="alarm state of version 1, this program reads version 2"):
        operator.advance([block, older], [], START, None)


def test_an_alarm_that_was_shelved_and_resumed_reports_its_changes_again() -> None:
    start = START + 10 * SECOND
    rows = [
        (start, "x", "raise", "low", start),
        (start + 4 * MINUTE, "x", "escalate", "critical", start),
    ]
    said = [command_batch(start + MINUTE, "shelve", "x", start + 2 * MINUTE)]
    found = outputs_of(step_of(), [*each(alarm_batch(rows)), *said], 1, START + 600 * SECOND)
    assert sorted((float(row[0]) - 10.0, row[1]) for row in found["output"]) == [
        (0.0, "raise"),
        (60.0, "suppress"),
        (120.0, "resume"),
        (240.0, "escalate"),
    ]
