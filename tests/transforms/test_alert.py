"""An alert is an alarm event of one reading: its id is stable, and WriteAlarms can send it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from tocsin.transforms.write.write_alarms import body, headers

from tocsin.foundation.faults import Faults
from tocsin.laws.readings import batch
from tocsin.parts.registry import find

ALERT = find("alert", "alert")


def alerts(**config: object) -> pa.RecordBatch:
    given = {"when": "value > 10", "by": ["sensor_id"], "rule": "high", **config}
    return ALERT(**given).apply(batch(np.array([5.0, 15.0, np.nan, 40.0]))).kept


def test_each_matching_reading_is_one_alarm_with_its_value_and_reason() -> None:
    found = alerts()
    assert found.column("observed").to_pylist() == [15.0, 40.0]
    assert found.column("event").to_pylist() == ["raise", "raise"]
    key = found.column("key")[0].as_py()
    assert found.column("message")[0].as_py() == f"value of {key} was 15: value > 10"
    assert (
        found.column("time")[0] == found.column("started_at")[0] == found.column("_event_time")[0]
    )


def test_ids_depend_on_rule_key_and_time_only() -> None:
    assert alerts().column("alarm_id").equals(alerts(severity="critical").column("alarm_id"))
    assert (
        set(alerts(rule="other").column("alarm_id").to_pylist())
        & set(alerts().column("alarm_id").to_pylist())
        == set()
    )
    assert len(set(alerts().column("alarm_id").to_pylist())) == 2


def test_it_can_be_written_as_an_alarm() -> None:
    row = alerts(severity="high").to_pylist()[0]
    assert dict(headers(row))["ce_type"] == b"org.tocsin.alarm.raise"
    told = json.loads(body(row))
    assert (told["severity"], told["data"]["observed"], told["status"]) == ("high", 15.0, "open")


def test_all_mistakes_of_its_configuration_are_reported_at_once() -> None:
    part = ALERT(when="value + 1", by=["senor_id"], of="sensor_id", rule="x")
    with pytest.raises(Faults) as caught:
        part.output_schema(batch(np.zeros(1)).schema)
    text = str(caught.value)
    assert "a condition is true or false" in text
    assert "did you mean 'sensor_id'" in text
    assert "an alarm shows a number" in text
