"""Compares alarms with the injected anomalies: found, missed and false."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

# An alarm may follow the anomaly's end by this much: windows, delays and thresholds need time.
SLACK = timedelta(minutes=4)


@dataclass
class Score:
    """found, missed: anomalies by kind. false: raise events that no anomaly explains."""

    found: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    false: list[dict[str, Any]] = field(default_factory=list)


def score(labels: pa.Table, alarms: list[dict[str, Any]]) -> Score:
    """Compare raise events with labels.

    A raise event of the same sensor and metric finds an anomaly, from a minute before its start to
    `SLACK` after its end.
    """
    raised = [alarm for alarm in alarms if alarm["data"]["event"] == "raise"]
    result = Score()
    explained: set[int] = set()
    for label in labels.to_pylist():
        hits = [
            at
            for at, alarm in enumerate(raised)
            if all(
                alarm["data"]["labels"].get(key) == label[key] for key in ("sensor_id", "metric")
            )
            and label["start"] - timedelta(minutes=1) <= moment(alarm) <= label["end"] + SLACK
        ]
        explained.update(hits)
        side = result.found if hits else result.missed
        side[label["kind"]] = side.get(label["kind"], 0) + 1
    result.false = [alarm for at, alarm in enumerate(raised) if at not in explained]
    return result


def moment(alarm: dict[str, Any]) -> datetime:
    """The event time of an alarm event."""
    return datetime.fromisoformat(alarm["dateIssued"])
