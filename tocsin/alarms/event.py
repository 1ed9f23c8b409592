"""Alarm events: columns, identity, and the rule that turns scores into alarms."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from pydantic import model_validator

from tocsin.alarms.data_quality import QUALITY_FIELDS
from tocsin.kernels.batch import TIMESTAMP, Floats
from tocsin.parts.fields import Duration
from tocsin.parts.part import Param, Part

ALARM_FIELDS = (
    pa.field("alarm_id", pa.string()),
    pa.field("event", pa.string()),
    pa.field("state", pa.string()),
    pa.field("rule", pa.string()),
    pa.field("rule_version", pa.string()),
    pa.field("detector", pa.string()),
    pa.field("severity", pa.string()),
    pa.field("key", pa.string()),
    pa.field("labels", pa.map_(pa.string(), pa.string())),
    pa.field("time", TIMESTAMP),
    pa.field("started_at", TIMESTAMP),
    pa.field("of", pa.string()),
    pa.field("observed", pa.float64()),
    pa.field("expected", pa.string()),
    pa.field("score", pa.float64()),
    pa.field("peak_score", pa.float64()),
    pa.field("window_start", TIMESTAMP),
    pa.field("window_end", TIMESTAMP),
    pa.field("topic", pa.string()),
    pa.field("partition", pa.int32()),
    pa.field("offset", pa.int64()),
    pa.field("latitude", pa.float64()),
    pa.field("longitude", pa.float64()),
    *QUALITY_FIELDS,
    pa.field("lake_query", pa.string()),
    pa.field("message", pa.string()),
    pa.field("reason", pa.string()),
)
"""Columns of an alarm event.

| column | meaning |
|---|---|
| `event` | raise, update, escalate, step_down, clear or withdraw; ManageAlarms adds others |
| `state` | state of the alarm after the event, in the terms of ISA-18.2 |
| `rule_version` | changes with the rule's configuration |
| `key`, `labels` | the key columns as text, and as a map |
| `time` | event time of the reading that caused the event |
| `started_at` | event time of the alarm's first reading |
| `of`, `observed`, `expected` | the column that was scored, its value, and the expected one |
| `score`, `peak_score` | score of the reading, and the alarm's highest; 1 is the alarm line |
| `window_start`, `window_end` | the window that was scored; null for a single reading |
| `topic`, `partition`, `offset` | the single reading that was scored; null for a window |
| `latitude`, `longitude` | last position of the sensor, degrees; null if unknown |
| `flag`, `flag_reasons`, `coverage`, `valid` | see QUALITY_FIELDS; null if unknown |
| `lake_query` | SQL that shows the rows in the lake |
| `reason` | why the event occurred, if no reading caused it |
"""

ACTIVE, NORMAL = "unacknowledged", "normal"

Severity = Literal["informational", "low", "medium", "high", "critical"]


def alarm_id(rule: str, labels: list[tuple[str, Any]], started: int) -> str:
    """Identity of an alarm: a function of its rule, key and start only."""
    text = json.dumps([rule, labels, started], default=str, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def key_text(labels: Iterable[tuple[str, Any]]) -> str:
    """The key of an alarm as text."""
    return ",".join(f"{name}={value}" for name, value in labels)


def alarm_columns(known: dict[str, Any], count: int) -> list[pa.Array]:
    """All columns of `count` alarm events, in order; null if not in `known`."""
    made = []
    for field in ALARM_FIELDS:
        column = known.get(field.name)
        if column is None:
            column = pa.nulls(count, field.type)
        made.append(column if isinstance(column, pa.Array) else pa.array(column, field.type))
    return made


class AlarmRule(Part):
    """Raises an alarm from scores, sets its severity and clears it.

    Counts are readings with a score.
    """

    raise_after: int = Param(
        1, help="number of consecutive scores of at least 1 that raise an alarm", ge=1
    )
    within: int | None = Param(
        None,
        help="raise if `raise_after` of this many scores are at least 1, consecutive or not",
        ge=1,
        le=32,
    )
    raise_for: Duration = Param(
        "0 s",
        help="minimum time from the first to the last of these scores (on-delay)",
        validate_default=True,
    )
    clear_after: int = Param(
        1, help="number of consecutive scores under `clear_below` that clear the alarm", ge=1
    )
    clear_for: Duration = Param(
        "0 s",
        help="minimum time from the first to the last of these scores (off-delay)",
        validate_default=True,
    )
    clear_below: float | None = Param(
        None,
        help="score under which a reading is normal; a value under 1 gives hysteresis; "
        "by default the detector's",
        gt=0,
        le=1,
    )
    severity: Severity = Param("medium", help="severity of the alarm")
    escalate: dict[Severity, float] = Param(
        {}, help="score from which an alarm has a higher severity, such as {critical: 5}"
    )

    @model_validator(mode="after")
    def _in_order(self) -> AlarmRule:
        if self.within is not None and self.within < self.raise_after:
            raise ValueError(
                f"`within` is {self.within}, "
                f"fewer than the {self.raise_after} scores of `raise_after`"
            )
        ranks = [get_args(Severity).index(name) for name in self.severities()]
        if any(score <= 1 for score in self.escalate.values()) or ranks != sorted(set(ranks)):
            raise ValueError(
                f"`escalate` names severities over '{self.severity}', "
                "each with a higher score than the one before, over 1"
            )
        return self

    def levels(self) -> Floats:
        """Scores at which the severity changes, ascending."""
        return np.sort(np.array(list(self.escalate.values()), np.float64))

    def severities(self) -> list[str]:
        """The severity under all levels, then the severity from each level."""
        return [self.severity, *sorted(self.escalate, key=self.escalate.__getitem__)]
