"""Quantile by a mergeable sketch."""

from typing import ClassVar

from tocsin.api.aggregation import Aggregation, Column, Param, accumulator, quantile


class Quantile(Aggregation):
    """The q-quantile, within 0.5 % of a value of that rank (DDSketch); null without a value.

    `p95(value)` is short for `quantile(value, q=0.95)`. Values within 1e-12 of zero count as zero.
    """

    keeps_unit: ClassVar[bool] = True
    q: float = Param(help="rank, from 0 to 1", ge=0, le=1, examples=[0.95])

    histogram = accumulator("buckets")

    def finish(self, histogram: Column) -> Column:
        return quantile(histogram, self.q)

    examples = [({"q": 0.5}, [0.0, 0.0, 0.0, None], 0.0), ({"q": 0.9}, [], None)]
