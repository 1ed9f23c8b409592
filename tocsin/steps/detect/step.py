"""The Detect step: its configuration."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator

from tocsin.alarms.event import ALARM_FIELDS, AlarmRule
from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels.batch import SYSTEM_FIELDS, like, traits, user_columns, with_traits
from tocsin.kernels.expressions.typing import kind_of, unknown_column
from tocsin.parts.detector import Detector
from tocsin.parts.fields import DataFile
from tocsin.parts.part import Param, Part, configuration_faults, need_columns
from tocsin.parts.registry import UnknownPart, find
from tocsin.parts.tables import checked_table


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


class Detect(Part):
    """Scores each reading of a sensor (1 is the alarm line) and gives alarms.

    Output: the input with the score column; output `alarms`: raise, update and clear events; output `late`: readings
    behind their partition's watermark, which come too late to be put in order.

    Of aggregates, revision 0 is judged. With `revise`, their revisions correct the alarms: an alarm that should not have been is
    withdrawn, one that should have been is raised with the time at which it should, one that was not over is resumed; the
    `reason` of these events is "revised". In the end the alarms are those of a job to which nothing came late.
    """

    in_a_job = {
        "config": {
            "of": "value",
            "by": ["sensor_id"],
            "with": "auto",
            "alarm": {"severity": "high", "raise_after": 3},
        }
    }

    of: str | list[str] = Param(
        help="the column that is judged; several for a detector that judges them together"
    )
    by: list[str] = Param(help="columns that identify a sensor", min_length=1)
    detector: Annotated[
        dict[str, dict[str, Any] | None], BeforeValidator(_by_name), WithJsonSchema(_CHOICE)
    ] = Field(
        alias="with",
        description="one detector: auto, or a name and its configuration, such as {robust_z: {window: 60}}",
    )
    alarm: AlarmRule = Param(AlarmRule(), help="when scores become an alarm")
    score: str = Param("score", help="name of the score column")
    rule: str = Param(
        "", help="name of the rule in alarms and their ids; by default the job's and the step's"
    )
    revise: bool = Param(
        False, help="judge aggregates again when late rows revise them, and correct the alarms"
    )
    sensors: DataFile | None = Param(
        None, help="CSV or Parquet table of the sensors that ought to speak, for missing_data"
    )
    lake: str = Param(
        "",
        help="lake dataset that an alarm points to; by default the one that the same input is written to",
    )
    shards: int = Param(
        8, help="state is kept in so many blocks, the most that can run in parallel", ge=1, le=1024
    )

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
        """What is judged."""
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
                self._check_sensors(judges_silence)
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
                "only aggregates are revised; readings that come late go to the output `late`",
                "revise",
            )
        if judges_silence:
            raise Fault("silence is judged by what has come on time", "revise")

    def _check_sensors(self, judges_silence: bool) -> None:
        if self.sensors is None:
            return
        if not judges_silence:
            raise Fault("only missing_data judges who ought to speak", "sensors")
        checked_table(self.sensors, self.by, "sensors")

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
