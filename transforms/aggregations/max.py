"""Greatest value."""

from typing import ClassVar

from tocsin.api.aggregation import Aggregation, Column, accumulator


class Max(Aggregation):
    """Greatest of the values; null without a value."""

    keeps_unit: ClassVar[bool] = True
    extreme = accumulator("max")

    def finish(self, extreme: Column) -> Column:
        return extreme

    examples = [({}, [2.0, None, 7.0], 7.0), ({}, [None], None)]
