"""Window joins in a job on Beam's local runner."""

from __future__ import annotations

from pathlib import Path

from tocsin.compiler.checker import check_text
from tocsin.engines.local import run_test


def test_aggregates_of_two_topics_are_joined_by_window_and_key(tmp_path: Path) -> None:
    job, _ = check_text(
        str(tmp_path / "job.yaml"), JOB.replace("lake: lake", f"lake: {tmp_path}/lake")
    )
    outcome = run_test(job, job.tests[0])
    assert outcome.passed, outcome.mismatches


JOB = """
pipeline:
  transforms:
    - type: ReadTelemetry
      name: Air
      config: {topic: air, schema: schemas/air_reading.avsc, event_time: observed_at,
               allowed_lateness: 2 min}
    - type: ReadTelemetry
      name: Weather
      config: {topic: weather, schema: schemas/air_reading.avsc, event_time: observed_at,
               allowed_lateness: 2 min}
    - {type: Aggregate, name: Dust, input: Air, config: {every: 1 min, by: [sensor_id],
       measures: {pm25: mean(value)}}}
    - {type: Aggregate, name: Rain, input: Weather, config: {every: 1 min, by: [sensor_id],
       measures: {rain: sum(value)}}}
    - {type: WindowJoin, input: {left: Dust, right: Rain}, config: {by: [sensor_id]}}
    - {type: WriteToLake, input: WindowJoin, config: {lake: lake, dataset: both}}
tests:
  - name: joined
    given:
      Air:
        columns: [sensor_id, metric, observed_at, value, quality]
        rows:
          - [a, pm25, "2026-03-02T10:00:05Z", 10.0, 1]
          - [b, pm25, "2026-03-02T10:00:05Z", 10.0, 1]
          - [a, pm25, "2026-03-02T10:02:05Z", 30.0, 1]
          - [a, pm25, "2026-03-02T10:00:15Z", 20.0, 1]
      Weather:
        columns: [sensor_id, metric, observed_at, value, quality]
        rows:
          - [a, rain, "2026-03-02T10:00:05Z", 1.0, 1]
          - [a, rain, "2026-03-02T10:10:05Z", 3.0, 1]
    expect:
      WindowJoin:
        columns: [window_start, sensor_id, pm25, rain, revision]
        rows:
          - ["2026-03-02T10:00:00Z", a, 10.0, 1.0, 0]
          - ["2026-03-02T10:00:00Z", b, 10.0, null, 0]
          - ["2026-03-02T10:00:00Z", a, 15.0, 1.0, 1]
          - ["2026-03-02T10:02:00Z", a, 30.0, null, 0]
"""
