"""The WindowJoin step: aggregates side by side, by window and key."""

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
    """Puts the aggregates of two inputs side by side that are of one window and one key.

    Inputs `left` and `right`, both of Aggregate with the same windows. `by` are the keys of the right; the left may have more of
    them, so that many of its rows meet one of the right: weather by district beside traffic by lane. Output: window, keys, the
    measures of both, `revision`: 0 when the window ends, 1 after the allowed lateness where late rows revised either side, with
    the newest of both. What is joined depends on event time alone, not on which side came first.
    """

    in_a_job = {
        "input": {"left": "Aggregate", "right": "Weather"},
        "config": {"by": ["sensor_id"], "how": "left"},
    }

    inputs: ClassVar[dict[str, bool]] = {"left": True, "right": True}
    takes: ClassVar[InputKind] = "windows"
    keeps: ClassVar[str] = "the rows that wait for the other input"

    by: list[str] = Param(help="key columns that both have", min_length=1)
    how: Literal["inner", "left", "outer"] = Param(
        "left", help="whose rows that meet none are given: nobody's, the left's, both's"
    )
    shards: ShardCount = 8

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the joined rows. Raises Faults."""
        left, right = (schema_of_side(schema, side) for side in SIDES)
        collector = Collector()
        for side, one in zip(SIDES, (left, right), strict=True):
            with collector:
                if not set(BOUNDS) <= set(one.names):
                    raise Fault(
                        f"`{side}` takes aggregates; its input has no {', '.join(sorted(set(BOUNDS) - set(one.names)))}"
                    )
            with collector:
                need_columns(self.by, one, "by")
        collector.done()
        with collector:
            more = [key for key in keys_of_side(schema, "right") if key not in self.by]
            if more:
                raise Fault(
                    f"the right has the key '{more[0]}' too, so several of its rows would meet one; add it to `by`",
                    "by",
                )
        with collector:
            missing = [name for name in self.by if name not in keys_of_side(schema, "left")]
            if missing:
                raise Fault(
                    f"'{missing[0]}' is no key of the left (keys: {', '.join(keys_of_side(schema, 'left')) or 'none'})",
                    "by",
                )
        for name in self.by:
            with collector:
                kinds = [one.field(name).type for one in (left, right)]
                if kinds[0] != kinds[1]:
                    raise Fault(
                        f"'{name}' is {kinds[0]} on the left and {kinds[1]} on the right",
                        "by",
                        self.by.index(name),
                    )
        mine = [name for name in user_columns(left) if name not in BOUNDS]
        theirs = [
            name for name in user_columns(right) if name not in BOUNDS and name not in self.by
        ]
        with collector:
            both = sorted(set(mine) & set(theirs))
            if both:
                raise Fault(
                    f"both inputs have {', '.join(both)}; give one another name, or put it into `by`"
                )
        collector.done()
        fields = [
            left.field("window_start"), left.field("window_end"), *(left.field(name) for name in mine),
            *(right.field(name) for name in theirs), left.field("revision"), *SYSTEM_FIELDS,
        ]  # fmt: skip
        known = traits(schema)
        return with_traits(
            pa.schema(fields),
            topic="", allowed_lateness=known.allowed_lateness, stage=known.stage + 1, keys=tuple(keys_of_side(schema, "left")),
            aggregated=True, inputs=1, **measured_of_sides(schema, {"left": mine, "right": theirs}),
        )  # fmt: skip

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
