"""Misbehaving sensors and stopped feeds raise exactly the expected alarms; the ledger balances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tocsin.cli.publishing import Publisher
from tocsin.compiler.checker import check_text
from tocsin.engines.beam.running import run_bounded
from tocsin.kafka.connection import Kafka
from tocsin.simulator.misbehaving_sensors import (
    CLEAN,
    DAY,
    FAULT,
    MINUTE,
    MISBEHAVIOURS,
    START,
    day,
)

ROOT = Path(__file__).parents[2]
JOB = """
pipeline:
  transforms:
    - type: ReadTelemetry
      config: {topic: city.air, schema: schemas/air_reading.avsc, event_time: observed_at,
               out_of_orderness: 60 s, allowed_lateness: 5 min}
    - {type: Deduplicate, input: ReadTelemetry, config: {by: [sensor_id]}}
    - type: Detect
      name: Stuck
      input: Deduplicate
      config: {of: value, by: [sensor_id], with: {flat_line: {longest: 30}}}
    - type: Detect
      name: Shift
      input: Deduplicate
      config: {of: value, by: [sensor_id], with: {cusum: {slack: 1.5, limit: 12}},
               alarm: {clear_after: 30}}
    - type: Detect
      name: Alternating
      input: Deduplicate
      config: {of: value, by: [sensor_id], with: {rate_of_change: {per_second: 0.1}},
               alarm: {clear_after: 30}}
    - type: Detect
      name: Silent
      input: Deduplicate
      config: {of: value, by: [sensor_id], with: {missing_data: {after: 10 min, feed_after: 5 min}}}
    - type: Detect
      name: Anything
      input: Deduplicate
      config: {of: value, by: [sensor_id], with: auto}
    - type: ManageAlarms
      input: {alarms: [Stuck.alarms, Shift.alarms, Alternating.alarms, Silent.alarms,
              Anything.alarms]}
    - {type: WriteAlarms, input: ManageAlarms, config: {topic: city.alarms}}
    - {type: WriteRejects, input: ReadTelemetry.rejects, config: {topic: city.rejects}}
"""


def run(batch: pa.RecordBatch, receive: Any, kafka: Any) -> tuple[Any, list[tuple[str, str, int]]]:
    """The ledger, and the rule, key and minute of each raised alarm."""
    kafka.create("city.alarms")
    kafka.create("city.rejects")
    publisher = Publisher(Kafka(), "city.air", (ROOT / "schemas/air_reading.avsc").read_text(), 0)
    publisher.publish(batch)
    publisher.flush()
    ledger = run_bounded(check_text(str(ROOT / "jobs/day.yaml"), JOB)[0])
    events = [json.loads(message.value()) for message in receive("city.alarms")]
    raised = []
    for event in events:
        if event["data"]["event"] == "raise":
            at = pa.scalar(event["validFrom"]).cast(pa.timestamp("us", "UTC")).value
            raised.append(
                (
                    event["data"]["rule"].removeprefix("day/"),
                    event["alertSource"].rpartition(":")[2],
                    (at - START) // MINUTE,
                )
            )
    return ledger, sorted(raised)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_each_misbehaving_sensor_raises_its_alarm_and_no_other(kafka: Any, receive: Any) -> None:
    batch = day(held_up=(840, 1200))
    ledger, raised = run(batch, receive, kafka)
    assert ledger.balances
    for one in MISBEHAVIOURS:
        mine = [(rule, minute) for rule, key, minute in raised if key == f"sensor_id={one.sensor}"]
        if not one.rules:
            assert mine == [], one
            continue
        assert any(rule in one.rules for rule, _ in mine), one
        assert all(minute >= FAULT - 1 for _, minute in mine), (one, mine)
        assert mine[0][1] <= FAULT + 400, (one, mine)
    # Six hours of readings arrive at once: no clean sensor and no feed raises an alarm.
    assert [alarm for alarm in raised if "clean" in alarm[1] or alarm[1] == "feed"] == []
    counts = ledger.steps
    assert counts["Deduplicate"].filtered == 2 * DAY
    assert counts["ReadTelemetry"].rejected == 20
    assert len(receive("city.rejects")) == 20
    assert sum(counts[name].late for name in counts) == 30


def test_a_silent_feed_raises_one_alarm(kafka: Any, receive: Any) -> None:
    clean = day(1, lost=(600, 660))
    clean = clean.filter(pc.starts_with(clean.column("sensor_id"), "clean"))
    ledger, raised = run(clean, receive, kafka)
    assert ledger.balances
    assert [(rule, key) for rule, key, _ in raised] == [("Silent", "feed")]
    assert 600 <= raised[0][2] <= 606
    assert CLEAN == 12
