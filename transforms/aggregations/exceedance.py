"""Share of readings above a limit."""

import pyarrow.compute as pc

from tocsin.api.aggregation import Aggregation, Column, Param, accumulator


class Exceedance(Aggregation):
    """Share of the readings above a limit, from 0 to 1; null without a reading."""

    limit: float = Param(help="in the unit of the column", examples=[50.0])

    hits = accumulator("sum", lambda self, x: pc.cast(pc.greater(x, self.limit), "double"))
    seen = accumulator("count")

    def finish(self, hits: Column, seen: Column) -> Column:
        return pc.if_else(pc.equal(seen, 0), None, pc.divide(hits, pc.cast(seen, "double")))

    examples = [({"limit": 50.0}, [40.0, 60.0, 80.0, None], 2 / 3)]
