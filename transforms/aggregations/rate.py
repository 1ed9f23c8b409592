"""Rate of a counter."""

from tocsin.api.aggregation import Aggregation, Column, accumulator, counter_rate


class Rate(Aggregation):
    """Increase a second of a counter between the first and last reading of the window; null for fewer than two times.

    A value below the one before is a reset: the counter then grew by its new value.
    """

    points = accumulator("points")

    def finish(self, points: Column) -> Column:
        return counter_rate(points)

    examples = [({}, [0.0, 10.0, 20.0], 10.0), ({}, [0.0, 10.0, 5.0], 7.5), ({}, [1.0], None)]
