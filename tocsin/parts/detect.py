"""The Detect step: its configuration."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, get_args

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator

from tocsin.columns.contract import SYSTEM_FIELDS, TIMESTAMP, Floats, like, traits, user_columns, with_traits
from tocsin.columns.expressions.typing import kind_of, unknown_column
from tocsin.parts.detector import Detector
from tocsin.parts.finder import UnknownPart, find
from tocsin.parts.part import Collector, Fault, Param, Part, configuration_faults, need_columns

ALARM_FIELDS = (
    pa.field("alarm_id", pa.string()),
    pa.field("event", pa.string()),
    pa.field("rule", pa.string()),
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
    pa.field("message", pa.string()),
)
"""Columns of an alarm event. `event`: raise, update or clear; `time`: event time of the reading that caused it;
`started_at`: of the first reading of the alarm; `key`: the key columns as text; `score` 1 is the alarm line."""


def alarm_id(rule: str, labels: list[tuple[str, Any]], started: int) -> str:
    """The same for the same rule, key and start, wherever and whenever it is computed."""
    text = json.dumps([rule, labels, started], default=str, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _by_name(value: Any) -> Any:
    """`with: auto` is `with: {auto: {}}`."""
    return {value: {}} if isinstance(value, str) else value


_CHOICE = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "additionalProperties": {"anyOf": [{"type": "object"}, {"type": "null"}]}},
    ]
}


Severity = Literal["informational", "low", "medium", "high", "critical"]


class AlarmRule(Part):
    """When scores become an alarm, how severe it is, and when it is over. Counts are readings with a score."""

    raise_after: int = Param(1, help="scores of at least 1 that raise an alarm, one after another", ge=1)
    within: int | None = Param(None, help="`raise_after` of so many scores are enough, whatever is between them", ge=1, le=32)
    clear_after: int = Param(1, help="scores under `clear_below` in a row that clear it", ge=1)
    clear_below: float | None = Param(
        None, help="score under which a reading is normal again; under 1 is hysteresis; by default the detector's", gt=0, le=1
    )
    severity: Severity = Param("medium", help="severity")
    escalate: dict[Severity, float] = Param({}, help="severities that an alarm has from a score on, such as {critical: 5}")

    @model_validator(mode="after")
    def _in_order(self) -> AlarmRule:
        if self.within is not None and self.within < self.raise_after:
            raise ValueError(f"`within` is {self.within}, fewer than the {self.raise_after} scores of `raise_after`")
        names = get_args(Severity)
        steps = sorted(self.escalate.items(), key=lambda step: step[1])
        ranks = [names.index(name) for name in (self.severity, *(name for name, _ in steps))]
        if any(score <= 1 for _, score in steps) or ranks != sorted(set(ranks)):
            raise ValueError(
                f"`escalate` names severities over '{self.severity}', each with a higher score than the one before, over 1"
            )
        return self

    def levels(self) -> Floats:
        """Scores at which the severity changes."""
        return np.sort(np.array(list(self.escalate.values()), np.float64))

    def severity_at(self, peak: float) -> str:
        """The severity of an alarm whose greatest score so far is `peak`."""
        reached = [(score, name) for name, score in self.escalate.items() if peak >= score]
        return max(reached)[1] if reached else self.severity


class Detect(Part):
    """Scores each reading of a sensor (1 is the alarm line) and gives alarms.

    Output: the input with the score column; output `alarms`: raise, update and clear events; output `late`: readings
    behind their partition's watermark, which come too late to be put in order. Of aggregates, only revision 0 is judged.
    """

    of: str = Param(help="the column that is judged")
    by: list[str] = Param(help="columns that identify a sensor", min_length=1)
    detector: Annotated[dict[str, dict[str, Any] | None], BeforeValidator(_by_name), WithJsonSchema(_CHOICE)] = Field(
        alias="with", description="one detector: auto, or a name and its configuration, such as {robust_z: {window: 60}}"
    )
    alarm: AlarmRule = Param(AlarmRule(), help="when scores become an alarm")
    score: str = Param("score", help="name of the score column")
    rule: str = Param("", help="name of the rule in alarms and their ids; by default the job's and the step's")
    shards: int = Param(8, help="state is kept in so many blocks, the most that can run in parallel", ge=1, le=1024)

    @model_validator(mode="after")
    def _one_detector(self) -> Detect:
        if len(self.detector) != 1:
            raise ValueError("`with` takes one detector; use one Detect step for each")
        return self

    def made(self) -> Detector:
        """The detector. Raises Fault."""
        name, config = next(iter(self.detector.items()))
        try:
            detector: Detector = find("detect", name)(**(config or {}))
        except UnknownPart as error:
            raise Fault(str(error), "with", name) from None
        except ValidationError as error:
            raise configuration_faults(name, find("detect", name), error, ("with", name)) from None
        return detector

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the scored readings. Raises Fault."""
        collector = Collector()
        with collector:
            self.made()
        with collector:
            need_columns(self.by, schema, "by")
        with collector:
            if self.of not in schema.names:
                raise Fault(unknown_column(self.of, schema), "of")
            if kind_of(schema.field(self.of).type) not in ("number", "boolean"):
                raise Fault(f"'{self.of}' is {schema.field(self.of).type}; a detector judges numbers", "of")
        with collector:
            if self.score in schema.names:
                raise Fault(f"its input already has a column '{self.score}'; name another", "score")
        collector.done()
        fields = list(schema)
        fields.insert(len(user_columns(schema)), pa.field(self.score, pa.float64()))
        return with_traits(like(schema, fields), stage=traits(schema).stage + 1)

    def alarm_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the alarm events."""
        rows = like(schema, [*ALARM_FIELDS, *SYSTEM_FIELDS])
        return with_traits(rows, stage=traits(schema).stage + 1, keys=("alarm_id", "event", "time"), aggregated=False)
