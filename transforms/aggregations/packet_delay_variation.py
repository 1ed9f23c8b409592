"""Delay variation relative to the fastest packet."""

import pyarrow.compute as pc

from tocsin.api.aggregation import Aggregation, Column, Param, accumulator, quantile


class PacketDelayVariation(Aggregation):
    """A quantile of the delays minus the smallest of them, in the column's unit.

    The quantile is exact for up to 64 distinct delays, otherwise within 0.5 % (DDSketch); null
    without a value. Source: PDV of RFC 5481, as ITU-T Y.1541 bounds it.
    """

    q: float = Param(0.999, help="rank of the quantile", gt=0, lt=1)

    histogram = accumulator("buckets")
    least = accumulator("min")

    def finish(self, histogram: Column, least: Column) -> Column:
        return pc.max_element_wise(
            pc.subtract(quantile(histogram, self.q), pc.cast(least, "double")),
            0.0,
            skip_nulls=False,
        )

    examples = [({}, [5.0, 5.0], 0.0), ({}, [], None)]
