"""Alarm management in jobs on Beam's local runner: two sources, a topology and commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.compiler.checker import check_text
from tocsin.compiler.diagnostics import JobError
from tocsin.engines.local import run_test

JOB = """
pipeline:
  transforms:
    - type: ReadTelemetry
      config: {topic: city.air, schema: schemas/air_reading.avsc, event_time: observed_at}
    - type: ReadTelemetry
      name: Commands
      config: {topic: city.alarm-commands, schema: schemas/alarm_command.avsc,
               event_time: issued_at}
    - {type: Detect, name: X, input: ReadTelemetry, config: {of: value, by: [sensor_id],
       rule: high, with: {threshold: {above: 10}}}}
    - type: ManageAlarms
      input: {alarms: X.alarms, commands: Commands}
      config:
        inhibit: {table: topology.csv, by: [sensor_id], wait: 30 s}
        health: {every: 10 min}
    - {type: WriteAlarms, input: ManageAlarms, config: {topic: city.alarms}}
tests:
  - name: a link that is down, an acknowledgement, a shelving
    given:
      ReadTelemetry:
        columns: [sensor_id, metric, observed_at, value, quality]
        rows:
          - [x, pm25, "2026-03-02T10:00:00Z", 20.0, 1]
          - [cam-1, pm25, "2026-03-02T10:00:05Z", 20.0, 1]
          - [cam-2, pm25, "2026-03-02T10:00:06Z", 20.0, 1]
          - [link-1, pm25, "2026-03-02T10:00:15Z", 20.0, 1]
          - [cam-1, pm25, "2026-03-02T10:02:00Z", 1.0, 1]
          - [link-1, pm25, "2026-03-02T10:02:05Z", 1.0, 1]
          - [x, pm25, "2026-03-02T10:03:00Z", 5.0, 1]
          - [x, pm25, "2026-03-02T10:21:00Z", 5.0, 1]
      Commands:
        columns: [command, issued_at, alarm_id, rule, key, until, by, reason]
        rows:
          - [acknowledge, "2026-03-02T10:00:30Z", null, high, "sensor_id=x", null, ann, on my way]
          - [shelve, "2026-03-02T10:00:31Z", null, high, "sensor_id=x", null, ann, on my way]
          - [shelve, "2026-03-02T10:00:32Z", null, high, "sensor_id=x", "2026-03-02T10:02:10Z",
             ann, works]
          - [acknowledge, "2026-03-02T10:22:00Z", null, high, "sensor_id=x", null, ann, on my way]
    expect:
      ManageAlarms:
        columns: [event, key, time, state, reason]
        rows:
          - [raise, sensor_id=x, "2026-03-02T10:00:00Z", unacknowledged, null]
          - [raise, sensor_id=link-1, "2026-03-02T10:00:15Z", unacknowledged, null]
          - [acknowledge, sensor_id=x, "2026-03-02T10:00:30Z", acknowledged, "by ann: on my way"]
          - [suppress, sensor_id=x, "2026-03-02T10:00:32Z", shelved, "by ann: works"]
          - [clear, sensor_id=link-1, "2026-03-02T10:02:05Z", returned_unacknowledged, null]
          - [resume, sensor_id=x, "2026-03-02T10:02:10Z", acknowledged, no longer shelved]
          - [raise, sensor_id=cam-2, "2026-03-02T10:02:35Z", unacknowledged,
             no longer waiting for an upstream alarm]
          - [clear, sensor_id=x, "2026-03-02T10:03:00Z", normal, null]
      ManageAlarms.suppressed:
        columns: [event, key, time, state, reason]
        rows:
          - [raise, sensor_id=cam-1, "2026-03-02T10:00:05Z", suppressed,
             waiting for an upstream alarm]
          - [raise, sensor_id=cam-2, "2026-03-02T10:00:06Z", suppressed,
             waiting for an upstream alarm]
          - [clear, sensor_id=cam-1, "2026-03-02T10:02:00Z", normal,
             "inhibited: it depends on link-1"]
      ManageAlarms.refused:
        columns: [command, message]
        rows:
          - [shelve, "shelve needs `until`, a time after the command"]
      ManageAlarms.health:
        columns: [window_start, raised, standing, unacknowledged, shelved, suppressed]
        rows:
          - ["2026-03-02T10:00:00Z", 3, 1, 1, 0, 0]
          - ["2026-03-02T10:10:00Z", 0, 1, 1, 0, 0]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "topology.csv").write_text("child,parent\ncam-1,link-1\ncam-2,link-1\n")
    return tmp_path


def test_a_job_with_commands_and_a_topology(folder: Path) -> None:
    job, _ = check_text(str(folder / "job.yaml"), JOB)
    (test,) = job.tests
    outcome = run_test(job, test)
    assert outcome.passed, outcome.mismatches


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (
            "input: {alarms: X.alarms, commands: Commands}",
            "input: X.alarms",
            "takes inputs by name: `alarms`, `commands` (optional)",
        ),
        (
            "input: {alarms: X.alarms, commands: Commands}",
            "input: {alarms: X}",
            "takes alarm events, such as Detect.alarms",
        ),
        (
            "input: {alarms: X.alarms, commands: Commands}",
            "input: {alarms: [X.alarms, Commands]}",
            "must have the same columns",
        ),
        (
            "input: {alarms: X.alarms, commands: Commands}",
            "input: {alarms: X.alarms, orders: Commands}",
            "takes inputs by name",
        ),
        (
            "input: {alarms: X.alarms, commands: Commands}",
            "input: {alarms: X.alarms, commands: ReadTelemetry}",
            "needs the columns",
        ),
        (
            "input: ReadTelemetry, config: {of",
            "input: {left: ReadTelemetry}, config: {of",
            "takes one input, or a list",
        ),
        ("input: ManageAlarms, config", "input: [], config", "several are a list"),
        ("table: topology.csv", "table: none.csv", "no file 'none.csv'"),
    ],
)
def test_wrong_inputs_are_reported_in_a_sentence(
    before: str, after: str, why: str, folder: Path
) -> None:
    assert before in JOB
    with pytest.raises(JobError) as told:
        check_text(str(folder / "job.yaml"), JOB.replace(before, after))
    assert any(why in str(problem) for problem in told.value.problems), told.value.problems


def test_two_topics_aggregate_together_whichever_ends_first(folder: Path) -> None:
    job, _ = check_text(str(folder / "job.yaml"), TOGETHER)
    outcome = run_test(job, job.tests[0])
    assert outcome.passed, outcome.mismatches


TOGETHER = """
pipeline:
  transforms:
    - type: ReadTelemetry
      name: A
      config: {topic: a, schema: schemas/air_reading.avsc, event_time: observed_at}
    - type: ReadTelemetry
      name: B
      config: {topic: b, schema: schemas/air_reading.avsc, event_time: observed_at}
    - type: Aggregate
      input: [A, B]
      config: {every: 1 min, by: [sensor_id], measures: {n: count(), m: mean(value)}}
    - {type: Detect, name: X, input: Aggregate, config: {of: m, by: [sensor_id],
       with: {threshold: {above: 10}}}}
    - {type: Detect, name: Y, input: A, config: {of: value, by: [sensor_id],
       with: {missing_data: {after: 1 min}}}}
    - {type: WriteAlarms, input: [X.alarms, Y.alarms], config: {topic: alarms}}
tests:
  - name: two topics
    given:
      A:
        columns: [sensor_id, metric, observed_at, value, quality]
        rows:
          - [a, pm25, "2026-03-02T10:00:05Z", 10.0, 1]
          - [a, pm25, "2026-03-02T10:02:05Z", 5.0, 1]
      B:
        columns: [sensor_id, metric, observed_at, value, quality]
        rows:
          - [a, pm25, "2026-03-02T10:00:15Z", 14.0, 1]
          - [b, pm25, "2026-03-02T10:10:15Z", 14.0, 1]
    expect:
      Aggregate:
        columns: [window_start, sensor_id, n, m]
        rows:
          - ["2026-03-02T10:00:00Z", a, 2, 12.0]
          - ["2026-03-02T10:02:00Z", a, 1, 5.0]
          - ["2026-03-02T10:10:00Z", b, 1, 14.0]
      X.alarms:
        columns: [event, key]
        rows:
          - [raise, sensor_id=a]
          - [clear, sensor_id=a]
          - [raise, sensor_id=b]
      Y.alarms:
        columns: [event, key, time]
        rows:
          - [raise, sensor_id=a, "2026-03-02T10:01:05Z"]
          - [clear, sensor_id=a, "2026-03-02T10:02:05Z"]
"""


def test_a_late_reading_withdraws_a_wrong_alarm(folder: Path) -> None:
    job, _ = check_text(str(folder / "job.yaml"), REVISED)
    outcome = run_test(job, job.tests[0])
    assert outcome.passed, outcome.mismatches


REVISED = """
pipeline:
  type: chain
  transforms:
    - type: ReadTelemetry
      config: {topic: a, schema: schemas/air_reading.avsc, event_time: observed_at,
               allowed_lateness: 5 min}
    - type: Aggregate
      config: {every: 1 min, by: [sensor_id], measures: {m: mean(value)}}
    - {type: Detect, config: {of: m, by: [sensor_id], with: {threshold: {above: 10}}, revise: true}}
tests:
  - name: revised
    given:
      ReadTelemetry:
        columns: [sensor_id, metric, observed_at, value, quality]
        rows:
          - [a, pm25, "2026-03-02T10:00:05Z", 15.0, 1]
          - [a, pm25, "2026-03-02T10:02:05Z", 5.0, 1]
          - [a, pm25, "2026-03-02T10:00:15Z", 1.0, 1]
          - [a, pm25, "2026-03-02T10:20:05Z", 5.0, 1]
    expect:
      Detect.alarms:
        columns: [event, time, reason]
        rows:
          - [raise, "2026-03-02T10:01:00Z", null]
          - [clear, "2026-03-02T10:03:00Z", null]
          - [withdraw, "2026-03-02T10:05:59.999999Z", revised]
      Detect:
        columns: [window_start, m, score, revision]
        rows:
          - ["2026-03-02T10:00:00Z", 15.0, 1.5, 0]
          - ["2026-03-02T10:02:00Z", 5.0, 0.5, 0]
          - ["2026-03-02T10:20:00Z", 5.0, 0.5, 0]
          - ["2026-03-02T10:00:00Z", 8.0, 0.8, 1]
"""
