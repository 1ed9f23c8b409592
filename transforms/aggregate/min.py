"""Smallest value."""

from tocsin.api import Aggregation, Column, tally


class Min(Aggregation):
    """Smallest of the values; null when there are none."""

    extreme = tally("min")

    def finish(self, extreme: Column) -> Column:
        return extreme

    examples = [({}, [2.0, None, 7.0], 2.0), ({}, [None], None)]
