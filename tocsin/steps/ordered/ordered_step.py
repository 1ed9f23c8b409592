"""Base of the steps that see the rows of each key in order of event time."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa

from tocsin.kernels.batch import traits, with_traits
from tocsin.parts.operator import Operator
from tocsin.parts.part import Param, need_columns
from tocsin.parts.stateful_step import ShardCount, StatefulStep
from tocsin.steps.ordered.ordered_rows import Ordered
from tocsin.steps.ordered.ordering_operator import OrderingOperator


class OrderedStep(StatefulStep):
    """Adds columns to rows, computed from each key's rows in order of event time.

    A row behind its partition's watermark can no longer be put in order: it goes to the output
    `late`, or, with `passes_late`, stays in the main output with the columns of `alone`.
    """

    passes_late: ClassVar[bool] = False

    by: list[str] = Param(help="columns that identify a sensor", min_length=1)
    shards: ShardCount = 8

    def lookahead(self) -> int:
        """How long a row waits for later ones: microseconds, whole seconds."""
        return 0

    def added(self, schema: pa.Schema) -> list[pa.Field]:
        """The columns that are added. Raises Faults."""
        raise NotImplementedError

    def compared(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """What `columns_of` and `needed` see of rows, one row each: by default all columns.

        A step that names few columns keeps little state. A row's own values must not depend on
        other rows.
        """
        return rows

    def columns_of(self, ordered: Ordered) -> list[Any]:
        """The added columns of all rows."""
        raise NotImplementedError

    def alone(self, rows: pa.RecordBatch) -> list[Any]:
        """The added columns of rows that arrived too late to be put in order."""
        raise NotImplementedError

    def changed(self, rows: pa.RecordBatch, added: list[Any]) -> pa.RecordBatch:
        """The rows, if the added columns change those that they had; the schema stays."""
        return rows

    def needed(self, ordered: Ordered) -> Any:
        """Which of the emitted rows later ones will need: a bool a row."""
        raise NotImplementedError

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The input's columns and the added ones. Raises Faults."""
        need_columns(self.by, schema, "by")
        system = [field for field in schema if field.name.startswith("_")]
        own = [field for field in schema if not field.name.startswith("_")]
        fields = pa.schema([*own, *self.added(schema), *system], metadata=schema.metadata)
        return with_traits(fields, stage=traits(schema).stage + 1, inputs=1)

    def outputs(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        """The rows with their columns, and the late rows. Raises Faults."""
        output = {"output": self.output_schema(schema)}
        return output if self.passes_late else {**output, "late": schema}

    def operator(self, schema: pa.Schema, rule: str) -> Operator:
        """Puts the rows in order and computes their columns."""
        return OrderingOperator(
            self,
            schema,
            self.outputs(schema),
            by=self.by,
            shards=self.shards,
            lookahead=self.lookahead(),
        )

    def state_shape(self, schema: pa.Schema | None) -> str:
        """Waiting rows, and some that were emitted."""
        return "rows that wait, and some of each key"
