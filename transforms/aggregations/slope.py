"""Slope of a straight line through the readings."""

from tocsin.api.aggregation import Aggregation, Column, accumulator, slope


class Slope(Aggregation):
    """Least-squares slope of the readings over event time, in the column's unit per second.

    Null for fewer than two readings.
    """

    points = accumulator("points")

    def finish(self, points: Column) -> Column:
        return slope(points)

    examples = [
        ({}, [0.0, 1.0, 2.0], 1.0),
        ({}, [3.0, None, 3.0], 0.0),
        ({}, [1.0], None),
        ({}, [], None),
    ]
