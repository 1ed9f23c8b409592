"""Share of probes that were lost, by their sequence numbers."""

from tocsin.api.aggregation import Aggregation, Column, accumulator, lost_share


class Loss(Aggregation):
    """Share of the sequence numbers of a window that never arrived, from 0 to 1.

    Counts between the window's least and greatest number; null without a number. A reordered probe
    is not lost; a repeated one counts once. A loss at the very edge of a window is not seen.
    """

    points = accumulator("exact_points")

    def finish(self, points: Column) -> Column:
        return lost_share(points)

    examples = [({}, [1.0, 2.0, 4.0, 4.0], 0.25), ({}, [3.0, 1.0, 2.0], 0.0), ({}, [], None)]
