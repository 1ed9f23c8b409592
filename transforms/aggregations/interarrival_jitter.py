"""Jitter as RTP has it."""

from tocsin.api.aggregation import Aggregation, Column, accumulator, interarrival_jitter


class InterarrivalJitter(Aggregation):
    """RFC 3550 interarrival jitter of one-way delays in the column's unit, at the end of the window: `J += (|D| - J) / 16`.

    It is smoothed over about sixteen packets; null for fewer than two.
    """

    points = accumulator("points")

    def finish(self, points: Column) -> Column:
        return interarrival_jitter(points)

    examples = [({}, [10.0, 26.0, 10.0], 1.9375), ({}, [1.0], None), ({}, [], None)]
