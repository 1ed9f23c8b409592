"""Arithmetic mean."""

from typing import ClassVar

import numpy as np
import pyarrow as pa

from tocsin.api.aggregation import Aggregation, Column, accumulator, mean


class Mean(Aggregation):
    """Arithmetic mean of the values; null without a value.

    It lies between the smallest and the greatest value.
    """

    keeps_unit: ClassVar[bool] = True
    mean_of: ClassVar[str | int | None] = "window"
    total = accumulator("sum_pair")
    seen = accumulator("count")

    def finish(self, total: Column, seen: Column) -> Column:
        high, low = (total.field(name).to_numpy() for name in ("high", "low"))
        counts = seen.to_numpy().astype(np.float64)
        return pa.array(mean((high, low), counts), mask=counts == 0)

    examples = [({}, [1.0, None, 2.0], 1.5), ({}, [0.1, 0.1, 0.1], 0.1), ({}, [], None)]
