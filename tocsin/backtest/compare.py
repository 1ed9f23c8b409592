"""Alarms of two versions of a job on the same readings: which are the same, which are new, which are gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.backtest.engine import Engine, alarm_outputs
from tocsin.compiler.job import Job

_TOLD = [
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
    """An alarm from its raise to its clear. end: None where it still stood."""

    rule: str
    key: str
    start: datetime
    end: datetime | None
    severity: str
    peak_score: float
    message: str

    def overlaps(self, other: Episode) -> bool:
        """Whether they are of one rule and sensor and have a moment in common."""
        if (self.rule, self.key) != (other.rule, other.key):
            return False
        return (other.end is None or self.start <= other.end) and (
            self.end is None or other.start <= self.end
        )


@dataclass(frozen=True)
class Difference:
    """before, after: all alarms. new: without one before that it overlaps; gone: the other way round."""

    before: list[Episode]
    after: list[Episode]

    @property
    def new(self) -> list[Episode]:
        return _without(self.after, self.before)

    @property
    def gone(self) -> list[Episode]:
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
    """The alarms that the job would have raised. A rule is called by its step, so that two files compare. Raises Failure."""
    found = Engine(job, alarm_outputs(job)).run(recording)
    rows = [
        row
        for batches in found.values()
        for batch in batches
        for row in batch.select(_TOLD).to_pylist()
    ]
    rows.sort(key=lambda row: (row["time"], row["event"] != "raise"))
    known: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["event"] == "raise":
            known[row["alarm_id"]] = {**row, "end": None}
        elif row["event"] == "withdraw":
            known.pop(row["alarm_id"], None)
        elif row["alarm_id"] in known:
            one = known[row["alarm_id"]]
            one["peak_score"] = max(one["peak_score"], row["peak_score"])
            if row["event"] != "clear":
                one["severity"] = row["severity"]
            one["end"] = (
                row["time"]
                if row["event"] == "clear"
                else None
                if row["event"] == "resume"
                else one["end"]
            )
    alarms = [
        Episode(
            row["rule"].removeprefix(f"{job.name}/"), row["key"], row["started_at"], row["end"], row["severity"],
            row["peak_score"], row["message"],
        )
        for row in known.values()
    ]  # fmt: skip
    return sorted(alarms, key=lambda one: (one.start, one.rule, one.key))
