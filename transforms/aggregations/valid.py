"""Whether an average may be used."""

from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import field_validator

from tocsin.api.aggregation import (
    Aggregation,
    Column,
    Duration,
    Param,
    accumulator,
    expected_readings,
    least_share,
)


class Valid(Aggregation):
    """Whether the window has the share of its expected readings that a named rule requires.

    At least one reading is required. For example `valid(value, cadence='10 s', rule='eu-2008')`.
    """

    result: ClassVar[object] = pa.bool_()
    cadence: Duration = Param(help="time between readings", examples=["10 s"])
    rule: str = Param(help="name of the rule", examples=["eu-2008"])

    seen = accumulator("count")

    @field_validator("rule")
    @classmethod
    def _known(cls, rule: str) -> str:
        least_share(rule)
        return rule

    def finish(self, seen: Column, window_start: Column, window_end: Column) -> Column:
        share = pc.divide(
            pc.cast(seen, "double"), expected_readings(window_start, window_end, self.cadence)
        )
        # 45 of 60 is 75 %, whatever the last digit of the quotient.
        return pc.and_(pc.greater(seen, 0), pc.greater_equal(share, least_share(self.rule) - 1e-9))

    examples = [
        ({"cadence": "15 s", "rule": "eu-2008"}, [1.0, None, 3.0, 4.0], True),
        ({"cadence": "15 s", "rule": "eu-2008"}, [1.0, 3.0], False),
        ({"cadence": "15 s", "rule": "any"}, [], False),
    ]
