"""Value at the latest event time."""

from typing import ClassVar

from tocsin.api.aggregation import Aggregation, Column, accumulator


class Last(Aggregation):
    """Value at the latest event time, of any type; null without a value.

    The smallest, if several have that time.
    """

    keeps_unit: ClassVar[bool] = True
    numeric: ClassVar[bool] = False
    result = None
    edge = accumulator("last")

    def finish(self, edge: Column) -> Column:
        return edge

    examples = [({}, [2.0, None, 7.0], 7.0), ({}, [], None)]
