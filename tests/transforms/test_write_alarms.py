"""What a consumer of the alarm topic reads: every attribute and every field of the body."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from tocsin.transforms.write.write_alarms import body, headers

from tocsin.alarms.event import ALARM_FIELDS
from tocsin.parts.registry import find

TIME = datetime(2026, 3, 2, 10, 5, 59, 999_999, UTC)
STARTED = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
# No two values are alike, so a field that holds another's value is seen.
ROW: dict[str, Any] = {
    "alarm_id": "1f",
    "event": "raise",
    "state": "unacknowledged",
    "rule": "high",
    "rule_version": "v2",
    "detector": "Threshold",
    "severity": "critical",
    "key": "sensor_id=air-1,metric=pm25",
    "labels": [("sensor_id", "air-1"), ("metric", "pm25")],
    "time": TIME,
    "started_at": STARTED,
    "of": "value",
    "observed": 41.5,
    "expected": "at most 10",
    "score": 3.5,
    "peak_score": 4.5,
    "window_start": STARTED,
    "window_end": STARTED + timedelta(minutes=5),
    "topic": "city.air",
    "partition": 3,
    "offset": 1234,
    "latitude": 48.1,
    "longitude": -1.6,
    "flag": 3,
    "flag_reasons": 2,
    "coverage": 0.75,
    "valid": False,
    "lake_query": "select 1",
    "message": "too high",
    "reason": "revised",
}


def alert(**changed: Any) -> Any:
    return json.loads(body({**ROW, **changed}))


def test_the_body_has_every_field_in_its_place() -> None:
    assert set(ROW) == {field.name for field in ALARM_FIELDS}
    assert alert() == {
        "id": "urn:ngsi-ld:Alert:1f",
        "type": "Alert",
        "category": "anomaly",
        "subCategory": "Threshold",
        "severity": "critical",
        "status": "open",
        "description": "too high",
        "dateIssued": "2026-03-02T10:05:59.999999Z",
        "validFrom": "2026-03-02T10:00:00Z",
        "alertSource": "urn:ngsi-ld:Device:sensor_id=air-1,metric=pm25",
        # GeoJSON: longitude first.
        "location": {"type": "Point", "coordinates": [-1.6, 48.1]},
        "data": {
            "event": "raise",
            "state": "unacknowledged",
            "rule": "high",
            "ruleVersion": "v2",
            "labels": {"sensor_id": "air-1", "metric": "pm25"},
            "of": "value",
            "observed": 41.5,
            "expected": "at most 10",
            "score": 3.5,
            "peakScore": 4.5,
            "window": {"start": "2026-03-02T10:00:00Z", "end": "2026-03-02T10:05:00Z"},
            "source": {"topic": "city.air", "partition": 3, "offset": 1234},
            "quality": {"flag": 3, "reasons": ["spike"], "coverage": 0.75, "valid": False},
            "lakeQuery": "select 1",
            "reason": "revised",
        },
    }


@pytest.mark.parametrize("event", ["clear", "withdraw"])
def test_an_alarm_that_is_over_is_closed_on_the_topic(event: str) -> None:
    found = alert(event=event)
    assert (found["status"], found["validTo"]) == ("closed", "2026-03-02T10:05:59.999999Z")


@pytest.mark.parametrize(
    "event", ["raise", "update", "escalate", "acknowledge", "suppress", "resume"]
)
def test_an_active_alarm_is_open(event: str) -> None:
    found = alert(event=event)
    assert (found["status"], "validTo" in found) == ("open", False)


def test_what_is_not_known_is_left_out() -> None:
    needed = {"alarm_id", "event", "rule", "key", "time", "started_at", "message", "severity"}
    found = alert(**{name: None for name in ROW if name not in needed})
    assert "location" not in found
    assert set(found["data"]) & {"window", "source", "quality", "lakeQuery", "reason"} == set()
    assert found["data"]["labels"] == {}
    # One coordinate is no place, and one number of its quality is worth writing.
    assert "location" not in alert(latitude=None)
    assert "location" not in alert(longitude=None)
    for name, value in (("flag", 1), ("coverage", 0.5), ("valid", True)):
        unknown = dict.fromkeys(("flag", "flag_reasons", "coverage", "valid"))
        quality = alert(**{**unknown, name: value})["data"]["quality"]
        assert quality[name] == value
        assert set(quality) <= {name, "reasons"}


def test_numbers_that_json_does_not_have_are_text() -> None:
    found = alert(score=float("inf"), observed=float("-inf"), peak_score=None)["data"]
    assert (found["score"], found["observed"], found["peakScore"]) == ("inf", "-inf", None)


def test_attributes_name_the_event_so_that_a_copy_can_be_dropped() -> None:
    assert dict(headers(ROW)) == {
        "ce_specversion": b"1.0",
        "ce_id": b"1f.raise.1772445959999999",
        "ce_source": b"/tocsin/high",
        "ce_type": b"org.tocsin.alarm.raise",
        "ce_time": b"2026-03-02T10:05:59.999999Z",
        "ce_subject": b"sensor_id=air-1,metric=pm25",
        "content-type": b"application/json",
    }


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_events_are_messages_with_the_id_as_their_key(
    kafka: Any, receive: Any, delivery: str
) -> None:
    kafka.create("city.alarms")
    sink = find("write", "write_alarms")(
        topic="city.alarms", delivery=delivery, identity="test", kafka={"brokers": kafka.brokers}
    )
    assert sink.file_span() == (1_000_000 if delivery == "exactly_once" else None)
    rows = [ROW, {**ROW, "event": "clear", "alarm_id": "2e"}]
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in ALARM_FIELDS]
    batch = pa.RecordBatch.from_arrays(columns, schema=pa.schema(ALARM_FIELDS))
    for _ in range(2):
        sink.write(batch, "1772445959000000.s000.r0")
    sink.flush()
    found = [message for message in receive("city.alarms") if message.value()]
    # What was committed once is not written by a second try.
    assert len(found) == (2 if delivery == "exactly_once" else 4)
    by_key = {message.key(): message for message in found}
    assert set(by_key) == {b"1f", b"2e"}
    assert json.loads(by_key[b"1f"].value()) == alert()
    assert by_key[b"2e"].headers() == headers(rows[1])
