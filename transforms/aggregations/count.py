"""Number of values."""

from typing import ClassVar

import pyarrow as pa

from tocsin.api.aggregation import Aggregation, Column, accumulator


class Count(Aggregation):
    """Number of values that are neither null nor NaN; without a column, number of rows."""

    takes_column: ClassVar[bool] = False
    numeric: ClassVar[bool] = False
    result = pa.int64()
    seen = accumulator("count")

    def finish(self, seen: Column) -> Column:
        return seen

    examples = [({}, [1.0, None, 3.0], 2), ({}, [], 0)]
