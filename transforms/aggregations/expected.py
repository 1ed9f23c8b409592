"""The expected number of readings."""

from typing import ClassVar

from tocsin.api.aggregation import (
    Aggregation,
    Column,
    Duration,
    Param,
    accumulator,
    expected_readings,
)


class Expected(Aggregation):
    """Number of readings expected in a window at a cadence: `expected(cadence='10 s')`.

    A day of 25 hours expects more.
    """

    takes_column: ClassVar[bool] = False
    cadence: Duration = Param(help="time between readings", examples=["10 s"])

    rows = accumulator("count")

    def finish(self, rows: Column, window_start: Column, window_end: Column) -> Column:
        return expected_readings(window_start, window_end, self.cadence)

    examples = [({"cadence": "10 s"}, [1.0], 6.0), ({"cadence": "10 s"}, [], 6.0)]
