"""Standard deviation."""

from typing import ClassVar

import numpy as np
import pyarrow as pa

from tocsin.api.aggregation import Aggregation, Column, Param, accumulator, standard_deviation


class Std(Aggregation):
    """Standard deviation of the values, by default of a sample (n - 1); null for too few values.

    The sums have twice the precision of a double, so nothing cancels for values far from zero.
    Equal values have the deviation 0.
    """

    keeps_unit: ClassVar[bool] = True
    ddof: int = Param(1, help="0: of the population; 1: of a sample", ge=0, le=1)

    total = accumulator("sum_pair")
    squares = accumulator("sum_of_squares_pair")
    seen = accumulator("count")
    least = accumulator("min")
    greatest = accumulator("max")

    def finish(
        self, total: Column, squares: Column, seen: Column, least: Column, greatest: Column
    ) -> Column:
        sums = [
            tuple(pair.field(name).to_numpy() for name in ("high", "low"))
            for pair in (total, squares)
        ]
        counts = seen.to_numpy().astype(np.float64)
        low, high = (edge.to_numpy(zero_copy_only=False) for edge in (least, greatest))
        with np.errstate(invalid="ignore"):
            spans = high - low
        found = standard_deviation(sums[0], sums[1], counts, spans, self.ddof)
        return pa.array(found, mask=counts <= self.ddof)

    examples = [
        ({}, [1.0, 2.0, 3.0, None], 1.0),
        ({"ddof": 0}, [1.0, 3.0], 1.0),
        ({}, [20.1, 20.1, 20.1], 0.0),
        ({}, [5.0], None),
    ]
