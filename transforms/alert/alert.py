"""An alarm for each reading that meets a condition, without waiting for another."""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow as pa

from tocsin.api.transform import (
    ACTIVE,
    ALARM_FIELDS,
    EVENT_TIME,
    OFFSET,
    PARTITION,
    SYSTEM_FIELDS,
    Collector,
    Fault,
    Outcome,
    Param,
    Transform,
    alarm_columns,
    alarm_id,
    check_condition,
    doubts,
    key_text,
    kind_of,
    like,
    micros,
    need_columns,
    quality_of,
    rows_where,
    traits,
    unknown_column,
    with_traits,
)


class Alert(Transform):
    """Emits an alarm event `raise` for each reading that meets a condition; filters the others.

    The step has no state: it waits for no watermark and clears no alarm. A repeated reading gives
    the same alarm id again. For alarms with a beginning and an end, use Detect. Output: alarm
    events, for WriteAlarms.
    """

    shows: ClassVar[str] = "observed"
    when: str = Param(help="a condition on one reading", examples=["value > 100"])
    of: str = Param("value", help="the number that the alarm shows")
    by: list[str] = Param(
        help="columns that identify a sensor", min_length=1, examples=[["sensor_id"]]
    )
    rule: str = Param(
        help="name of the rule in alarms and their ids", min_length=1, examples=["too_high"]
    )
    severity: Literal["informational", "low", "medium", "high", "critical"] = Param(
        "medium", help="severity"
    )

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        collector = Collector()
        with collector:
            check_condition(self.when, schema, "when")
        with collector:
            need_columns(self.by, schema, "by")
        with collector:
            if self.of not in schema.names:
                raise Fault(unknown_column(self.of, schema), "of")
            if kind_of(schema.field(self.of).type) not in ("number", "boolean"):
                raise Fault(
                    f"'{self.of}' is {schema.field(self.of).type}; an alarm shows a number", "of"
                )
        collector.done()
        rows = like(schema, [*ALARM_FIELDS, *SYSTEM_FIELDS])
        return with_traits(rows, keys=("alarm_id", "event", "time"), aggregated=False)

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        found = rows_where(self.when, batch)
        schema = self.output_schema(batch.schema)
        count = found.num_rows
        everyone = pa.array(range(count), pa.int64())
        labels = list(
            zip(
                *([(name, value) for value in found.column(name).to_pylist()] for name in self.by),
                strict=True,
            )
        )
        keys = [key_text(one) for one in labels]
        times = micros(found.column(EVENT_TIME)).tolist()
        observed = found.column(self.of).cast(pa.float64())
        seen = ["nothing" if value is None else f"{value:.4g}" for value in observed.to_pylist()]
        columns = {
            "alarm_id": [
                alarm_id(self.rule, list(one), time)
                for one, time in zip(labels, times, strict=True)
            ],
            "event": ["raise"] * count,
            "state": [ACTIVE] * count,
            "rule": [self.rule] * count,
            "detector": ["alert"] * count,
            "severity": [self.severity] * count,
            "key": keys,
            "labels": [[(name, str(value)) for name, value in one] for one in labels],
            "time": times,
            "started_at": times,
            "of": [self.of] * count,
            "observed": observed,
            "expected": [""] * count,
            "score": [1.0] * count,
            "peak_score": [1.0] * count,
            "topic": [traits(batch.schema).topic or None] * count,
            "partition": found.column(PARTITION),
            "offset": found.column(OFFSET),
            "message": [
                f"{self.of} of {key} was {value}: {self.when}{doubt}"
                for key, value, doubt in zip(keys, seen, doubts(found, everyone), strict=True)
            ],
            **quality_of(found, everyone),
        }
        system = [found.column(field.name) for field in SYSTEM_FIELDS]
        return Outcome(
            pa.RecordBatch.from_arrays([*alarm_columns(columns, count), *system], schema=schema),
            filtered=batch.num_rows - count,
        )

    examples = [
        ({"when": "value > 10", "by": ["sensor_id"], "rule": "high"}, [5.0, 15.0, None], [15.0])
    ]
