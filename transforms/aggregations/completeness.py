"""Share of the expected readings that arrived."""

import pyarrow.compute as pc

from tocsin.api.aggregation import (
    Aggregation,
    Column,
    Duration,
    Param,
    accumulator,
    expected_readings,
)


class Completeness(Aggregation):
    """Valid readings over the number expected at a cadence, at most 1.

    For example `completeness(value, cadence='10 s')`.
    """

    cadence: Duration = Param(help="time between readings", examples=["10 s"])

    seen = accumulator("count")

    def finish(self, seen: Column, window_start: Column, window_end: Column) -> Column:
        share = pc.divide(
            pc.cast(seen, "double"), expected_readings(window_start, window_end, self.cadence)
        )
        return pc.min_element_wise(1.0, share)

    examples = [({"cadence": "20 s"}, [1.0, None, 3.0], 2 / 3)]
