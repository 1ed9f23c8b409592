"""The Detect step: scores of readings, and alarms."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, ClassVar

import pyarrow as pa
from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator

from tocsin.alarms.event import ALARM_FIELDS, AlarmRule
from tocsin.foundation.failure import UnknownPart
from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels.batch import SYSTEM_FIELDS, like, traits, user_columns, with_traits
from tocsin.kernels.expressions.typing import kind_of, unknown_column
from tocsin.parts.detector import Detector, width_of
from tocsin.parts.fields import DataFile
from tocsin.parts.operator import Operator
from tocsin.parts.part import Param, configuration_faults, need_columns
from tocsin.parts.registry import find
from tocsin.parts.stateful_step import ScoreColumns, ShardCount, StatefulStep, column_types
from tocsin.parts.tables import checked_table
from tocsin.steps.detect.detection import PLACE, Detection
from tocsin.steps.detect.revision_operator import RevisionOperator
from tocsin.steps.detect.scorer import Scorer
from tocsin.steps.detect.scoring_operator import ScoringOperator
from tocsin.steps.detect.silence import Silence
from tocsin.steps.detect.silence_alarms import SilenceAlarms


def _by_name(value: Any) -> Any:
    """`with: auto` is `with: {auto: {}}`."""
    return {value: {}} if isinstance(value, str) else value


_CHOICE = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        },
    ]
}


class Detect(StatefulStep):
    """Scores each reading of a sensor, where 1 is the alarm line, and raises alarms.

    Output: the input with the score column. Output `alarms`: raise, update and clear events. Output
    `late`: readings behind their partition's watermark, which arrive too late to be put in order.

    Revision 0 of aggregates is judged. With `revise`, later revisions correct the alarms: a wrong
    alarm is withdrawn, a missing one is raised with its own time, and one that was not over is
    resumed. The `reason` of these events is "revised". In the end the alarms are those of a job
    without late rows.
    """

    in_a_job = {
        "config": {
            "of": "value",
            "by": ["sensor_id"],
            "with": "auto",
            "alarm": {"severity": "high", "raise_after": 3},
        }
    }

    keeps: ClassVar[str] = "what its detector has learnt, and its open alarms"

    of: str | list[str] = Param(
        help="column to judge; several for a detector that judges them together"
    )
    by: list[str] = Param(help="columns that identify a sensor", min_length=1)
    detector: Annotated[
        dict[str, dict[str, Any] | None], BeforeValidator(_by_name), WithJsonSchema(_CHOICE)
    ] = Field(
        alias="with",
        description="one detector: auto, or a name and its configuration, "
        "such as {robust_z: {window: 60}}",
    )
    alarm: AlarmRule = Param(AlarmRule(), help="when scores become an alarm")
    score: str = Param("score", help="name of the score column")
    rule: str = Param("", help="name of the rule in alarms and their ids; by default JOB/STEP")
    revise: bool = Param(
        False, help="judge aggregates again when late rows revise them, and correct the alarms"
    )
    sensors: DataFile | None = Param(
        None, help="CSV or Parquet table of the sensors that ought to report, for missing_data"
    )
    lake: str = Param(
        "",
        help="lake dataset that an alarm points to; by default the one with the rows of the input",
    )
    shards: ShardCount = 8

    @model_validator(mode="after")
    def _one_detector(self) -> Detect:
        if len(self.detector) != 1:
            raise ValueError("`with` takes one detector; use one Detect step for each")
        return self

    def made(self) -> Detector:
        """The detector. Raises Fault."""
        name, config = next(iter(self.detector.items()))
        try:
            detector: Detector = find("detectors", name)(**(config or {}))
        except UnknownPart as error:
            raise Fault(str(error), "with", name) from None
        except ValidationError as error:
            raise configuration_faults(
                name, find("detectors", name), error, ("with", name)
            ) from None
        if isinstance(self.of, list) and not detector.several:
            raise Fault(f"{name} judges one column; `of` names {len(self.of)}", "of")
        if detector.several and (isinstance(self.of, str) or len(self.of) < 2):
            raise Fault(f"{name} judges several columns together; `of` is a list of them", "of")
        return detector.of_columns(len(self.columns()))

    def columns(self) -> list[str]:
        """The columns to judge."""
        return [self.of] if isinstance(self.of, str) else self.of

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the scored readings. Raises Fault."""
        collector = Collector()
        detector: Detector | None = None
        with collector:
            detector = self.made()
        with collector:
            need_columns(self.by, schema, "by")
        for at, name in enumerate(self.columns()):
            path = ("of",) if isinstance(self.of, str) else ("of", at)
            with collector:
                if name not in schema.names:
                    raise Fault(unknown_column(name, schema), *path)
                if kind_of(schema.field(name).type) not in ("number", "boolean"):
                    raise Fault(
                        f"'{name}' is {schema.field(name).type}; a detector judges numbers", *path
                    )
        with collector:
            if self.score in schema.names:
                raise Fault(f"its input already has a column '{self.score}'; name another", "score")
        if detector is not None:
            judges_silence = detector.silence_after() is not None
            with collector:
                self._check_sensors(schema, judges_silence)
            with collector:
                self._check_revise(schema, judges_silence)
        collector.done()
        fields = list(schema)
        fields.insert(len(user_columns(schema)), pa.field(self.score, pa.float64()))
        return with_traits(like(schema, fields), stage=traits(schema).stage + 1, inputs=1)

    def _check_revise(self, schema: pa.Schema, judges_silence: bool) -> None:
        if not self.revise:
            return
        if not traits(schema).aggregated:
            raise Fault(
                "only aggregates are revised; late readings go to the output `late`",
                "revise",
            )
        if judges_silence:
            raise Fault("silence is judged by readings on time", "revise")

    def _check_sensors(self, schema: pa.Schema, judges_silence: bool) -> None:
        if self.sensors is None:
            return
        if not judges_silence:
            raise Fault("only missing_data judges who ought to speak", "sensors")
        types = tuple((name, schema.field(name).type) for name in self.by if name in schema.names)
        checked_table(self.sensors, self.by, "sensors", types=types)

    def alarm_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the alarm events."""
        rows = like(schema, [*ALARM_FIELDS, *SYSTEM_FIELDS])
        return with_traits(
            rows,
            stage=traits(schema).stage + 1,
            keys=("alarm_id", "event", "time"),
            aggregated=False,
            inputs=1,
        )

    def outputs(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        """The scored rows, the alarm events and the late rows. Raises Fault or Faults."""
        output = self.output_schema(schema)
        return {"output": output, "alarms": self.alarm_schema(schema), "late": schema}

    def detection(self, rule: str) -> Detection:
        """What the operator needs. rule: the name for alarms if the configuration gives none."""
        name, columns = next(iter(self.detector)), self.columns()
        return Detection(
            name=name,
            detector=self.made(),
            columns=columns,
            by=self.by,
            alarm=self.alarm,
            score=self.score,
            rule=self.rule or rule or f"{name}({', '.join(columns)})",
            rule_version=self.rule_version(),
            sensors=self.sensors,
            lake=self.lake,
        )

    def rule_version(self) -> str:
        """Eight hexadecimal digits that change with what the rule judges, and how."""
        judged = self.model_dump(
            mode="json", by_alias=True, exclude={"shards", "score", "rule", "lake"}
        )
        return hashlib.sha256(json.dumps(judged, sort_keys=True).encode()).hexdigest()[:8]

    def operator(self, schema: pa.Schema, rule: str) -> Operator:
        """Scores rows and follows alarms; with `revise`, corrects them."""
        scorer = Scorer(self.detection(rule), schema, self.outputs(schema))
        if self.revise:
            return RevisionOperator(scorer, self.shards)
        after, feed_after = scorer.detector.silence_after(), scorer.detector.feed_silence_after()
        silence = None if after is None else SilenceAlarms(scorer, Silence(after, feed_after))
        # All sensors together must be in one shard.
        together = self.sensors is not None or feed_after is not None
        return ScoringOperator(scorer, silence, 1 if together else self.shards)

    def state_shape(self, schema: pa.Schema | None) -> str:
        """Bytes a key."""
        size = 0
        if schema is not None:
            size = 8 * len(Scorer(self.detection(""), schema, self.outputs(schema)).start)
        return f"{size} bytes a key, and rows not yet in order"

    def state_depends_on(self, schema: pa.Schema) -> dict[str, Any]:
        """Columns, keys, and the detector with the numbers that it keeps."""
        detector = self.made()
        return {
            "of": self.of, "by": self.by, "detector": next(iter(self.detector)),
            "numbers": width_of(detector), "state": detector.layout().sizes,
            "shards": self.shards, "columns": column_types(schema),
            **({"revise": True} if self.revise else {}),
        }  # fmt: skip

    def completed(self, datasets: list[str]) -> dict[str, Any]:
        """`lake`: the dataset that has the rows which it judges."""
        return {} if self.lake else {"lake": datasets[0] if datasets else ""}

    def columns_read(self) -> set[str]:
        """What it judges, its keys, and the position of a sensor."""
        return {*self.columns(), *self.by, *PLACE}

    def score_columns(self) -> ScoreColumns:
        """The first column that it judges, and the score."""
        return ScoreColumns(self.rule, self.by, self.columns()[0], self.score)

    examples = [
        (
            {"of": "value", "by": ["sensor_id"], "with": {"threshold": {"above": 10.0}}},
            [("a", 0, 5.0), ("b", 1, 15.0), ("b", 2, 9.0)],
            {
                "output": [{"sensor_id": "a"}, {"sensor_id": "b"}, {"sensor_id": "b"}],
                "alarms": [
                    {"event": "raise", "key": "sensor_id=b", "time": 1.0, "observed": 15.0},
                    {"event": "clear", "key": "sensor_id=b", "time": 2.0, "observed": 9.0},
                ],
            },
        ),
        (
            {"of": "value", "by": ["sensor_id"], "with": {"missing_data": {"after": "12 s"}}},
            [("a", 0, 5.0), ("b", 0, 5.0), ("a", 20, 5.0), ("b", 10, 5.0)],
            {
                "alarms": [
                    {"event": "raise", "key": "sensor_id=a", "time": 12.0},
                    {"event": "clear", "key": "sensor_id=a", "time": 20.0},
                ]
            },
        ),
    ]
