"""Arithmetic mean."""

from typing import ClassVar

import pyarrow.compute as pc

from tocsin.api.aggregation import Aggregation, Column, accumulator


class Mean(Aggregation):
    """Arithmetic mean of the values; null without a value."""

    keeps_unit: ClassVar[bool] = True
    mean_of: ClassVar[str | int | None] = "window"
    total = accumulator("sum")
    seen = accumulator("count")

    def finish(self, total: Column, seen: Column) -> Column:
        return pc.if_else(pc.equal(seen, 0), None, pc.divide(total, pc.cast(seen, "double")))

    examples = [({}, [1.0, None, 2.0], 1.5), ({}, [], None)]
