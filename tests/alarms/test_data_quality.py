"""Doubts about the data behind an alarm, in its message and on the topic."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from tocsin.transforms.write.write_alarms import body

from tocsin.alarms.data_quality import doubts, quality_of, reasons_of
from tocsin.alarms.event import ALARM_FIELDS

WHOLE = {"flag": 3, "flag_reasons": 34, "coverage": 0.42, "valid": False, "neighbour_flag": 3}
NARROW = {"flag": pa.int8(), "flag_reasons": pa.int64(), "neighbour_flag": pa.int8()}


def rows(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {name: pa.array([value], NARROW.get(name)) for name, value in columns.items()}
    )


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"value": 1.0}, ""),
        ({"flag": 1, "flag_reasons": 0, "valid": True, "coverage": 1.0}, ""),
        ({"flag": 3, "flag_reasons": 34}, "; flagged suspect (spike, time gap)"),
        ({"flag": 4, "flag_reasons": 0}, "; flagged failed"),
        ({"flag": 4}, "; flagged failed"),
        ({"flag": 9, "flag_reasons": 0}, ""),
        ({"valid": False}, "; too little was measured"),
        ({"valid": False, "coverage": 0.42}, "; too little was measured (42%)"),
        ({"neighbour_flag": 1}, "; its neighbours read alike"),
        ({"neighbour_flag": 2}, ""),
        ({"flag": 3, "flag_reasons": 128}, "; flagged suspect (neighbours)"),
        ({"flag": 3, "flag_reasons": 128, "neighbour_flag": 3}, "; its neighbours read otherwise"),
        (
            {"flag": 4, "flag_reasons": 129, "neighbour_flag": 3},
            "; flagged failed (gross range); its neighbours read otherwise",
        ),
        (
            WHOLE,
            (
                "; flagged suspect (spike, time gap); too little was measured (42%); "
                "its neighbours read otherwise"
            ),
        ),
    ],
)
def test_doubts_are_appended_to_the_message(columns: dict[str, Any], expected: str) -> None:
    assert doubts(rows(**columns), pa.array([0, None], pa.int64())) == [expected, ""]


def test_quality_columns_are_copied_and_null_if_no_row_caused_the_event() -> None:
    found = quality_of(rows(**WHOLE), pa.array([None, 0], pa.int64()))
    assert {name: column.to_pylist() for name, column in found.items()} == {
        "flag": [None, 3],
        "flag_reasons": [None, 34],
        "coverage": [None, 0.42],
        "valid": [None, False],
    }
    assert quality_of(rows(value=1.0), pa.array([0])) == {}


def test_columns_of_another_type_are_not_quality() -> None:
    odd = pa.RecordBatch.from_pydict(
        {"flag": ["red"], "valid": [7], "coverage": ["some"], "flag_reasons": [1.5]}
    )
    assert quality_of(odd, pa.array([0])) == {}
    assert doubts(odd, pa.array([0])) == [""]


def test_reasons_have_names() -> None:
    assert reasons_of(1 | 64 | 128) == ["gross_range", "delay", "neighbours"]
    assert reasons_of(0) == reasons_of(None) == []


def test_the_message_on_the_topic_has_the_quality() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    row = {field.name: None for field in ALARM_FIELDS} | {
        "alarm_id": "a",
        "event": "raise",
        "time": now,
        "started_at": now,
    }
    found = json.loads(body({**row, **WHOLE}))["data"]
    assert found["quality"] == {
        "flag": 3,
        "reasons": ["spike", "time_gap"],
        "coverage": 0.42,
        "valid": False,
    }
    assert "quality" not in json.loads(body(row))["data"]
