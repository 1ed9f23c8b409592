"""The WindowJoin step: aggregates side by side, by window and key."""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow as pa

from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels.batch import SYSTEM_FIELDS, traits, user_columns, with_traits
from tocsin.parts.part import Param, Part, need_columns
from tocsin.steps.state.union import measured_of_sides, schema_of_side, side_column

SIDES = ("left", "right")
BOUNDS = ("window_start", "window_end", "revision")


class WindowJoin(Part):
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

    sides: ClassVar[dict[str, bool]] = {"left": True, "right": True}

    by: list[str] = Param(help="key columns that both have", min_length=1)
    how: Literal["inner", "left", "outer"] = Param(
        "left", help="whose rows that meet none are given: nobody's, the left's, both's"
    )
    shards: int = Param(
        8, help="state is kept in so many blocks, the most that can run in parallel", ge=1, le=1024
    )

    def keys(self, schema: pa.Schema, side: str) -> list[str]:
        """The keys of one input."""
        prefix = side_column(side, "")
        return [key.removeprefix(prefix) for key in traits(schema).keys if key.startswith(prefix)]

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
            more = [key for key in self.keys(schema, "right") if key not in self.by]
            if more:
                raise Fault(
                    f"the right has the key '{more[0]}' too, so several of its rows would meet one; add it to `by`",
                    "by",
                )
        with collector:
            missing = [name for name in self.by if name not in self.keys(schema, "left")]
            if missing:
                raise Fault(
                    f"'{missing[0]}' is no key of the left (keys: {', '.join(self.keys(schema, 'left')) or 'none'})",
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
            topic="", allowed_lateness=known.allowed_lateness, stage=known.stage + 1, keys=tuple(self.keys(schema, "left")),
            aggregated=True, inputs=1, **measured_of_sides(schema, {"left": mine, "right": theirs}),
        )  # fmt: skip
