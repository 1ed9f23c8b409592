"""Alarm events that correct those which were emitted before late rows arrived."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.alarms.event import key_text
from tocsin.kernels.batch import EVENT_TIME, timestamps
from tocsin.steps.state.release_times import last_moments

REVISED = "revised"
"""The reason of an event that late rows caused."""


def key_texts(rows: pa.RecordBatch, by: list[str]) -> pa.Array:
    """The distinct keys of some rows, as alarm events have them. Rows are few: one by one."""
    columns = [rows.column(name).to_pylist() for name in by]
    keys = {key_text(zip(by, one, strict=True)) for one in zip(*columns, strict=True)}
    return pa.array(keys, pa.string())


def corrections(
    before: list[dict[str, Any]], after: list[dict[str, Any]], moment: int
) -> list[dict[str, Any]]:
    """The events to emit, in order of time.

    before: emitted events of some sensors. after: the events that there should be. moment: when the
    revision is available, microseconds. An alarm without a place in `after` is withdrawn, one
    that is not over is resumed, and missing events follow.
    """
    emitted = {_identity(row) for row in before}
    known, holds = {row["alarm_id"] for row in before}, {row["alarm_id"] for row in after}
    cleared = {row["alarm_id"] for row in after if row["event"] == "clear"}
    withdrawn = {row["alarm_id"] for row in before if row["event"] == "raise"} - holds
    at = timestamps(np.array([moment], np.int64))[0].as_py()
    found = []
    for row in before:
        if row["event"] == "raise" and row["alarm_id"] in withdrawn:
            found.append({**row, "event": "withdraw", "state": "normal", "time": at})
        elif row["event"] == "clear" and row["alarm_id"] not in cleared | withdrawn:
            found.append({**row, "event": "resume", "state": "unacknowledged", "time": at})
    for row in after:
        is_raised = row["event"] == "raise" and row["alarm_id"] in known
        if not is_raised and _identity(row) not in emitted:
            found.append(row)
    shown = timestamps(last_moments(np.full(1, moment, np.int64)))[0].as_py()
    return [{**row, "reason": REVISED, EVENT_TIME: shown} for row in sorted(found, key=_order)]


def _identity(event: dict[str, Any]) -> tuple[Any, ...]:
    return event["alarm_id"], event["event"], event["time"]


def _order(event: dict[str, Any]) -> tuple[Any, ...]:
    """A withdrawal before a raise at the same time, and a raise before other events."""
    what = event["event"]
    return event["time"], event["key"], what != "withdraw", what != "raise"
