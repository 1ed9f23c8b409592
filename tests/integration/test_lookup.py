"""A registry in a topic, on Beam's local runner."""

from __future__ import annotations

from pathlib import Path

from tocsin.compiler.checker import check_text
from tocsin.engines.local import run_test

JOB = """
pipeline:
  transforms:
    - type: ReadTelemetry
      name: Air
      config: {topic: air, schema: schemas/air_reading.avsc, event_time: observed_at,
               allowed_lateness: 2 min}
    - type: ReadTelemetry
      name: Coefficients
      config: {topic: coefficients, schema: schemas/air_reading.avsc, event_time: observed_at}
    - {type: Derive, name: Slopes, input: Coefficients, config: {columns: {slope: value}}}
    - {type: Lookup, input: {readings: Air, registry: Slopes}, config: {by: [sensor_id],
       add: [slope]}}
    - {type: Derive, name: Corrected, input: Lookup, config: {columns: {value: value * slope}}}
    - {type: Aggregate, input: Corrected, config: {every: 1 min, by: [sensor_id],
       measures: {mean: mean(value)}}}
    - {type: WriteToLake, input: Aggregate, config: {lake: lake, dataset: corrected}}
tests:
  - name: dated
    given:
      Air:
        columns: [sensor_id, metric, observed_at, value, quality]
        rows:
          - [a, pm25, "2026-03-02T09:59:30Z", 10.0, 1]
          - [a, pm25, "2026-03-02T10:00:30Z", 10.0, 1]
          - [b, pm25, "2026-03-02T10:00:30Z", 10.0, 1]
          - [a, pm25, "2026-03-02T10:01:30Z", 10.0, 1]
          - [a, pm25, "2026-03-02T10:00:40Z", 20.0, 1]
      Coefficients:
        columns: [sensor_id, metric, observed_at, value, quality]
        rows:
          - [a, pm25, "2026-03-02T10:00:00Z", 2.0, 1]
          - [a, pm25, "2026-03-02T10:01:00Z", 3.0, 1]
    expect:
      Aggregate:
        columns: [window_start, sensor_id, mean, revision]
        rows:
          - ["2026-03-02T09:59:00Z", a, null, 0]
          - ["2026-03-02T10:00:00Z", a, 20.0, 0]
          - ["2026-03-02T10:00:00Z", b, null, 0]
          - ["2026-03-02T10:01:00Z", a, 30.0, 0]
          - ["2026-03-02T10:00:00Z", a, 30.0, 1]
"""


def test_coefficients_are_valid_from_their_event_time(tmp_path: Path) -> None:
    job, _ = check_text(
        str(tmp_path / "job.yaml"), JOB.replace("lake: lake", f"lake: {tmp_path}/lake")
    )
    outcome = run_test(job, job.tests[0])
    assert outcome.passed, outcome.mismatches
