"""Delay variation between consecutive packets."""

from tocsin.api.aggregation import Aggregation, Column, accumulator, consecutive_variation


class ConsecutiveDelayVariation(Aggregation):
    """Mean absolute difference of the delays of consecutive packets, in the column's unit.

    Null for fewer than two packets. Source: IPDV of RFC 3393.
    """

    points = accumulator("points")

    def finish(self, points: Column) -> Column:
        return consecutive_variation(points)

    examples = [({}, [10.0, 14.0, 12.0], 3.0), ({}, [1.0], None), ({}, [], None)]
