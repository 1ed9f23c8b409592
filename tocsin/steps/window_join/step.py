"""The WindowJoin step: aggregates in one row, by window and key."""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow as pa

from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels.batch import SYSTEM_FIELDS, traits, user_columns, with_traits
from tocsin.parts.operator import Operator
from tocsin.parts.part import Param, need_columns
from tocsin.parts.stateful_step import InputKind, ShardCount, StatefulStep
from tocsin.steps.state.union import measured_of_sides, schema_of_side
from tocsin.steps.window_join.join_operator import BOUNDS, SIDES, JoinOperator, keys_of_side


class WindowJoin(StatefulStep):
    """Joins the aggregates of two inputs by window and key.

    Inputs: `left` and `right`, both from Aggregate with the same windows. `by` are the keys of the
    right. The left may have more keys, so that several of its rows match one row of the right, such
    as traffic by lane and weather by district. Output: window, keys, the measures of both, and
    `revision`: 0 when the window ends; 1 after the allowed lateness, if late rows revised either
    side, with the highest revision of both. The result depends on event time alone, not on which
    side arrived first.
    """

    in_a_job = {
        "input": {"left": "Aggregate", "right": "Weather"},
        "config": {"by": ["sensor_id"], "how": "left"},
    }

    inputs: ClassVar[dict[str, bool]] = {"left": True, "right": True}
    takes: ClassVar[InputKind] = "windows"
    keeps: ClassVar[str] = "the rows that wait for the other input"

    by: list[str] = Param(help="key columns of both inputs", min_length=1)
    how: Literal["inner", "left", "outer"] = Param(
        "left", help="which unmatched rows to keep: none, the left's or both"
    )
    shards: ShardCount = 8

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the joined rows. Raises Faults."""
        left, right = (schema_of_side(schema, side) for side in SIDES)
        self._check_columns(left, right)
        mine = [name for name in user_columns(left) if name not in BOUNDS]
        theirs = [
            name for name in user_columns(right) if name not in BOUNDS and name not in self.by
        ]
        self._check_keys(schema, left, right, sorted(set(mine) & set(theirs)))
        fields = [
            left.field("window_start"),
            left.field("window_end"),
            *(left.field(name) for name in mine),
            *(right.field(name) for name in theirs),
            left.field("revision"),
            *SYSTEM_FIELDS,
        ]
        known = traits(schema)
        return with_traits(
            pa.schema(fields),
            topic="",
            allowed_lateness=known.allowed_lateness,
            stage=known.stage + 1,
            keys=tuple(keys_of_side(schema, "left")),
            aggregated=True,
            inputs=1,
            **measured_of_sides(schema, {"left": mine, "right": theirs}),
        )

    def _check_columns(self, left: pa.Schema, right: pa.Schema) -> None:
        """Both inputs are aggregates with the keys. Raises Faults."""
        collector = Collector()
        for side, one in zip(SIDES, (left, right), strict=True):
            with collector:
                if not set(BOUNDS) <= set(one.names):
                    raise Fault(
                        f"`{side}` takes aggregates; its input has no "
                        f"{', '.join(sorted(set(BOUNDS) - set(one.names)))}"
                    )
            with collector:
                need_columns(self.by, one, "by")
        collector.done()

    def _check_keys(
        self, schema: pa.Schema, left: pa.Schema, right: pa.Schema, shared: list[str]
    ) -> None:
        """A row of the left matches one row of the right at most. Raises Faults.

        shared: measures with one name on both sides.
        """
        collector = Collector()
        with collector:
            more = [key for key in keys_of_side(schema, "right") if key not in self.by]
            if more:
                raise Fault(
                    f"the right has the key '{more[0]}' too, "
                    "so several of its rows would meet one; add it to `by`",
                    "by",
                )
        with collector:
            known = keys_of_side(schema, "left")
            missing = [name for name in self.by if name not in known]
            if missing:
                raise Fault(
                    f"'{missing[0]}' is no key of the left (keys: {', '.join(known) or 'none'})",
                    "by",
                )
        for at, name in enumerate(self.by):
            with collector:
                kinds = [one.field(name).type for one in (left, right)]
                if kinds[0] != kinds[1]:
                    raise Fault(
                        f"'{name}' is {kinds[0]} on the left and {kinds[1]} on the right", "by", at
                    )
        with collector:
            if shared:
                raise Fault(
                    f"both inputs have {', '.join(shared)}; "
                    "give one another name, or put it into `by`"
                )
        collector.done()

    def outputs(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        """The joined rows. Raises Faults."""
        return {"output": self.output_schema(schema)}

    def operator(self, schema: pa.Schema, rule: str) -> Operator:
        """Joins windows when both sides are complete."""
        return JoinOperator(
            schema, self.outputs(schema), by=self.by, how=self.how, shards=self.shards
        )

    def state_shape(self, schema: pa.Schema | None) -> str:
        """Rows of both inputs."""
        return "rows of windows that may be revised"
