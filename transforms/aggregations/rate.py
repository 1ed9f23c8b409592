"""Rate of a counter."""

from tocsin.api.aggregation import Aggregation, Column, accumulator, counter_rate


class Rate(Aggregation):
    """Increase of a counter per second, between the first and last reading of the window.

    Null for fewer than two event times. A value below the previous one is a reset:
    the counter then grew by its new value.
    """

    points = accumulator("points")

    def finish(self, points: Column) -> Column:
        return counter_rate(points)

    examples = [({}, [0.0, 10.0, 20.0], 10.0), ({}, [0.0, 10.0, 5.0], 7.5), ({}, [1.0], None)]
