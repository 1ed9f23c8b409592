"""Sum."""

from typing import ClassVar

import pyarrow.compute as pc

from tocsin.api.aggregation import Aggregation, Column, accumulator


class Sum(Aggregation):
    """Sum of the values, identical in any order; null without a value."""

    keeps_unit: ClassVar[bool] = True
    total = accumulator("sum")
    seen = accumulator("count")

    def finish(self, total: Column, seen: Column) -> Column:
        return pc.if_else(pc.equal(seen, 0), None, total)

    examples = [({}, [1.5, None, 2.5], 4.0), ({}, [None], None)]
