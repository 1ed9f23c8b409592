"""Aggregations: what a window says of its readings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.aggregation.accumulators import KERNELS
from tocsin.parts.part import Part, Tally

Column = Any  # an Arrow array; pyarrow ships no types


def tally(kernel: str, transform: Callable[[Any, Any], Any] | None = None) -> Any:
    """A running tally: `sum`, `count`, `min`, `max`, `first`, `last`, `points`, `buckets`, `distinct`, `bits`,
    and `sum_pair` and `sum_of_squares_pair`, which give the two doubles of an exact sum.

    transform: `lambda self, x: …` gives the column that is tallied, from the column that the job names.
    Raises ValueError for another kernel.
    """
    if kernel not in KERNELS:
        raise ValueError(f"tally({kernel!r}): the kernel must be one of {', '.join(KERNELS)}")
    return Tally(kernel, transform)


def expected_readings(window_start: Column, window_end: Column, cadence: int) -> Column:
    """Readings that each window has room for at a cadence (microseconds)."""
    length = pc.subtract(window_end.cast("int64"), window_start.cast("int64"))
    return pc.divide(pc.cast(length, "double"), float(cadence))


class Aggregation(Part):
    """Declares tallies and how to finish them; folding, shuffling, panes and merging follow from these.

    finish: gets one argument a tally, by name, and may also ask for `window_start` and `window_end` (timestamps);
    gives one value a window and key. Null and NaN readings are missing: no tally sees them.
    """

    takes_column: ClassVar[bool] = True
    numeric: ClassVar[bool] = True
    result: ClassVar[Any] = pa.float64()
    # Whether the result is in the column's unit; and of what time it is the mean: "window", or microseconds.
    keeps_unit: ClassVar[bool] = False
    mean_of: ClassVar[str | int | None] = None

    @classmethod
    @cache
    def tallies(cls) -> dict[str, Tally]:
        """The tallies by name, in order of declaration."""
        found: dict[str, Tally] = {}
        for owner in reversed(cls.__mro__):
            found.update(
                {name: value for name, value in vars(owner).items() if isinstance(value, Tally)}
            )
        return found

    @classmethod
    @cache
    def window_arguments(cls) -> set[str]:
        """Which bounds of the window `finish` asks for."""
        return {"window_start", "window_end"} & set(inspect.signature(cls.finish).parameters)

    def tallied(self, name: str, column: Column) -> Column:
        """The column that a tally sees."""
        transform = self.tallies()[name].transform
        return column if transform is None or column is None else transform(self, column)

    def result_type(self, kind: Any) -> Any:
        """Type of the result for a column of type `kind`; by default `result`, or `kind` where that is None."""
        return kind if self.result is None else self.result

    def finish(self, *args: Any, **kwargs: Any) -> Column:
        """The result from the tallies."""
        raise NotImplementedError
