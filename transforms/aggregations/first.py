"""Value at the earliest event time."""

from typing import ClassVar

from tocsin.api.aggregation import Aggregation, Column, accumulator


class First(Aggregation):
    """Value at the earliest event time, of any type; null without a value.

    The smallest, if several have that time.
    """

    keeps_unit: ClassVar[bool] = True
    numeric: ClassVar[bool] = False
    result = None
    edge = accumulator("first")

    def finish(self, edge: Column) -> Column:
        return edge

    examples = [({}, [2.0, None, 7.0], 2.0), ({}, [], None)]
