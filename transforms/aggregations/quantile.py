"""Quantile by a mergeable sketch."""

from typing import ClassVar

from tocsin.api.aggregation import Aggregation, Column, Param, accumulator, quantile


class Quantile(Aggregation):
    """The q-quantile: the value of rank ceil(q * n); null without a value.

    Exact for up to 64 distinct values in a window, otherwise within 0.5 % (DDSketch). It lies
    between the smallest and the greatest value, and q = 0 and 1 are these two. Beyond 64 distinct
    values, those within 1e-12 of zero count as zero. `p95(value)` is short for
    `quantile(value, q=0.95)`.
    """

    keeps_unit: ClassVar[bool] = True
    q: float = Param(help="rank, from 0 to 1", ge=0, le=1, examples=[0.95])

    histogram = accumulator("buckets")

    def finish(self, histogram: Column) -> Column:
        return quantile(histogram, self.q)

    examples = [
        ({"q": 0.5}, [10.0, 10.0, None], 10.0),
        ({"q": 0.9}, [0.25, 20.1, 3.3], 20.1),
        ({"q": 0.9}, [], None),
    ]
