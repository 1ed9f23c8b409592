"""Mean weighted by the time for which each value held."""

from typing import ClassVar

from tocsin.api.aggregation import Aggregation, Column, accumulator, time_weighted_mean


class TimeWeightedMean(Aggregation):
    """Mean of a signal that holds its value until the next reading or the window's end.

    The time before the first reading of the window has no weight. Null without a value.
    """

    keeps_unit: ClassVar[bool] = True
    mean_of: ClassVar[str | int | None] = "window"
    points = accumulator("points")

    def finish(self, points: Column, window_end: Column) -> Column:
        return time_weighted_mean(points, window_end)

    examples = [({}, [4.0, 4.0, None], 4.0), ({}, [], None)]
