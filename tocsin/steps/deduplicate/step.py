"""The Deduplicate step: keeps the first of several copies of a reading."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa

from tocsin.kernels.batch import traits, with_traits
from tocsin.parts.fields import Duration
from tocsin.parts.operator import Operator
from tocsin.parts.part import Param, need_columns
from tocsin.parts.stateful_step import ShardCount, StatefulStep
from tocsin.steps.deduplicate.deduplication_operator import DeduplicationOperator


class Deduplicate(StatefulStep):
    """Keeps the first reading of each key and event time; the others are filtered and counted.

    State is bounded: a reading is remembered until its partition's watermark is `within` past its
    event time. A reading that arrives later goes to `late`. If one partition has several copies,
    the one with the lowest offset is kept. Keys are compared with their event time by a 64-bit
    hash: two different ones are taken for equal once in about 10^19 pairs.
    """

    in_a_job = {"config": {"by": ["sensor_id"]}}

    keeps_columns: ClassVar[bool] = True
    keeps: ClassVar[str] = "the readings that it remembers"

    by: list[str] = Param(
        help="columns that, with the event time, identify a reading", min_length=1
    )
    within: Duration | None = Param(
        None, help="how long a reading is remembered; by default the allowed lateness"
    )
    shards: ShardCount = 8

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of the input. Raises Faults."""
        need_columns(self.by, schema, "by")
        return with_traits(schema, inputs=1)

    def outputs(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        """The columns of the input in both outputs. Raises Faults."""
        return {"output": self.output_schema(schema), "late": schema}

    def operator(self, schema: pa.Schema, rule: str) -> Operator:
        """Remembers readings for `within`."""
        within = self.within if self.within is not None else traits(schema).allowed_lateness
        return DeduplicationOperator(self.outputs(schema), self.by, within, self.shards)

    def state_shape(self, schema: pa.Schema | None) -> str:
        """Hash and time of a reading."""
        return "16 bytes a reading remembered"

    def state_depends_on(self, schema: pa.Schema) -> dict[str, Any]:
        """Keys and shards: readings are remembered by hash, whatever their columns."""
        return {"by": self.by, "shards": self.shards}

    examples = [
        (
            {"by": ["sensor_id"], "within": "1 min"},
            [("a", 0, 1.0), ("a", 0, 2.0), ("b", 0, 3.0), ("a", 1, 4.0)],
            [{"value": 1.0}, {"value": 3.0}, {"value": 4.0}],
        )
    ]
