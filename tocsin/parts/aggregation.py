"""Aggregations: one value from the readings of a window."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.aggregation.accumulators import ACCUMULATORS
from tocsin.parts.part import AccumulatorField, Part

Column = Any  # an Arrow array; pyarrow ships no types


def accumulator(kind: str, transform: Callable[[Any, Any], Any] | None = None) -> Any:
    """A declared accumulator, as a class attribute of an Aggregation.

    Null and NaN are missing values: every accumulator skips them. The attribute's name is the
    name of the argument that `finish` gets.

    Args:
        kind: `sum`, `count`, `min`, `max`, `first`, `last`, `points` (all values with their
            times, as doubles), `exact_points` (the same, but 64-bit integers stay integers),
            `sums_by_time` (for `hourly_means`: number and sum of the values of each hour),
            `buckets` (histogram for quantiles), `distinct` (hashes for a distinct count), `bits`
            (bitwise or), or `sum_pair` and `sum_of_squares_pair`, which give both doubles of an
            exact sum.
        transform: `lambda self, x: …` gives the column to accumulate from the column that the job
            names.

    Raises:
        ValueError: for another kind.
    """
    if kind not in ACCUMULATORS:
        known = ", ".join(ACCUMULATORS)
        raise ValueError(f"accumulator({kind!r}): the kind must be one of {known}")
    return AccumulatorField(kind, transform)


def expected_readings(window_start: Column, window_end: Column, cadence: int) -> Column:
    """The number of readings that each window holds when none is missing, as doubles.

    Args:
        window_start: start of each window, timestamps.
        window_end: end of each window, timestamps.
        cadence: microseconds between two readings.
    """
    length = pc.subtract(window_end.cast("int64"), window_start.cast("int64"))
    return pc.divide(pc.cast(length, "double"), float(cadence))


class Aggregation(Part):
    """A part that reduces the readings of a window and key to one value.

    A subclass declares accumulators and `finish`. Folding rows, shuffling, panes and merging follow
    from these. `finish` gets one argument for each accumulator, by name. It may also ask for
    `window_start` and `window_end` (timestamps). It returns one value for each window and key.
    Null and NaN readings are missing: no accumulator sees them.
    """

    takes_column: ClassVar[bool] = True
    numeric: ClassVar[bool] = True
    result: ClassVar[Any] = pa.float64()
    # Whether the result has the column's unit.
    keeps_unit: ClassVar[bool] = False
    # The time over which the result is a mean: "window", or microseconds.
    mean_of: ClassVar[str | int | None] = None

    @classmethod
    @cache
    def accumulators(cls) -> dict[str, AccumulatorField]:
        """The accumulators by name, in order of declaration."""
        found: dict[str, AccumulatorField] = {}
        for owner in reversed(cls.__mro__):
            found |= {
                name: value
                for name, value in vars(owner).items()
                if isinstance(value, AccumulatorField)
            }
        return found

    @classmethod
    @cache
    def window_arguments(cls) -> set[str]:
        """The bounds of the window that `finish` asks for."""
        return {"window_start", "window_end"} & set(inspect.signature(cls.finish).parameters)

    def accumulated(self, name: str, column: Column) -> Column:
        """The column that the accumulator `name` sees."""
        transform = self.accumulators()[name].transform
        return column if transform is None or column is None else transform(self, column)

    def result_type(self, kind: Any) -> Any:
        """The result's Arrow type for a column of type `kind`.

        By default `result`, or `kind` where `result` is None.
        """
        return kind if self.result is None else self.result

    def finish(self, *args: Any, **kwargs: Any) -> Column:
        """The result, computed from the accumulators.

        Raises:
            NotImplementedError: in this base class.
        """
        raise NotImplementedError
