"""Compares the alarms of two versions of a job on the same readings: same, new and gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.backtest.engine import Engine, alarm_outputs
from tocsin.compiler.job import Job

_COLUMNS = [
    "alarm_id",
    "event",
    "rule",
    "key",
    "time",
    "started_at",
    "severity",
    "peak_score",
    "message",
]


@dataclass(frozen=True)
class Episode:
    """An alarm from its raise to its clear.

    key: `column=value` of the sensor, joined by commas. end: None while it is active. severity: the
    last. peak_score: the greatest.
    """

    rule: str
    key: str
    start: datetime
    end: datetime | None
    severity: str
    peak_score: float
    message: str

    def overlaps(self, other: Episode) -> bool:
        """Whether both have the same rule and key, and a common moment."""
        if (self.rule, self.key) != (other.rule, other.key):
            return False
        return (other.end is None or self.start <= other.end) and (
            self.end is None or other.start <= self.end
        )


@dataclass(frozen=True)
class Difference:
    """The alarms of two versions of a job. before, after: all alarms of each."""

    before: list[Episode]
    after: list[Episode]

    @property
    def new(self) -> list[Episode]:
        """Alarms of the new version that overlap none of the old."""
        return _without(self.after, self.before)

    @property
    def gone(self) -> list[Episode]:
        """Alarms of the old version that overlap none of the new."""
        return _without(self.before, self.after)


def _without(ones: list[Episode], others: list[Episode]) -> list[Episode]:
    by_key: dict[tuple[str, str], list[Episode]] = {}
    for other in others:
        by_key.setdefault((other.rule, other.key), []).append(other)
    return [
        one
        for one in ones
        if not any(one.overlaps(other) for other in by_key.get((one.rule, one.key), []))
    ]


def episodes(job: Job, recording: str) -> list[Episode]:
    """The alarms that a job raises on a recording, sorted by start, rule and key.

    Rules have the name of their step without the job's, so that two job files compare. Withdrawn
    alarms are left out. Raises Failure where the recording does not fit the job's source.
    """
    found = Engine(job, alarm_outputs(job)).run(recording)
    rows = [
        row
        for batches in found.values()
        for batch in batches
        for row in batch.select(_COLUMNS).to_pylist()
    ]
    rows.sort(key=lambda row: (row["time"], row["event"] != "raise"))
    alarms = [
        Episode(
            rule=row["rule"].removeprefix(f"{job.name}/"),
            key=row["key"],
            start=row["started_at"],
            end=row["end"],
            severity=row["severity"],
            peak_score=row["peak_score"],
            message=row["message"],
        )
        for row in _by_alarm(rows)
    ]
    return sorted(alarms, key=lambda one: (one.start, one.rule, one.key))


def _by_alarm(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first event of each alarm, with `end` and the last severity and greatest score."""
    alarms: dict[str, dict[str, Any]] = {}
    for event in events:
        name = event["event"]
        if name == "raise":
            alarms[event["alarm_id"]] = {**event, "end": None}
        elif name == "withdraw":
            alarms.pop(event["alarm_id"], None)
        elif event["alarm_id"] in alarms:
            one = alarms[event["alarm_id"]]
            one["peak_score"] = max(one["peak_score"], event["peak_score"])
            if name == "clear":
                one["end"] = event["time"]
            else:
                one["severity"] = event["severity"]
                one["end"] = None if name == "resume" else one["end"]
    return list(alarms.values())
