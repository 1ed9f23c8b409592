"""Delay variation from packet to packet."""

from tocsin.api.aggregation import Aggregation, Column, accumulator, consecutive_variation


class ConsecutiveDelayVariation(Aggregation):
    """IPDV of RFC 3393: mean absolute difference of the delays of consecutive packets, in the column's unit.

    Null for fewer than two.
    """

    points = accumulator("points")

    def finish(self, points: Column) -> Column:
        return consecutive_variation(points)

    examples = [({}, [10.0, 14.0, 12.0], 3.0), ({}, [1.0], None), ({}, [], None)]
