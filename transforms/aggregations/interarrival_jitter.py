"""The jitter of RTP."""

from tocsin.api.aggregation import Aggregation, Column, accumulator, interarrival_jitter


class InterarrivalJitter(Aggregation):
    """Interarrival jitter of one-way delays at the end of the window, in the column's unit.

    `J += (|D| - J) / 16`: smoothed over about sixteen packets; null for fewer than two.
    Source: RFC 3550.
    """

    points = accumulator("points")

    def finish(self, points: Column) -> Column:
        return interarrival_jitter(points)

    examples = [({}, [10.0, 26.0, 10.0], 1.9375), ({}, [1.0], None), ({}, [], None)]
