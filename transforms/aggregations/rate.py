"""Rate of a counter."""

from typing import Literal

from tocsin.api.aggregation import Aggregation, Column, Param, accumulator, counter_rate


class Rate(Aggregation):
    """Increase of a counter per second, between the first and last reading of the window.

    Null for fewer than two event times. A value below the previous one is a reset: the counter then
    grew by its new value. With `bits`, a fall by more than half of the counter's range is a wrap.
    64-bit integers are subtracted as integers, so large counters keep their last digits.
    """

    bits: Literal[32, 64] | None = Param(
        None, help="width of a counter that wraps; a fall by more than half of 2^bits is a wrap"
    )

    points = accumulator("exact_points")

    def finish(self, points: Column) -> Column:
        return counter_rate(points, self.bits)

    examples = [
        ({}, [0.0, 10.0, 20.0], 10.0),
        ({}, [0.0, 10.0, 5.0], 7.5),
        ({"bits": 32}, [4294967286.0, 0.0], 10.0),
        ({}, [1.0], None),
    ]
