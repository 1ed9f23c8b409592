"""Medians of a few numbers."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats
from tocsin.kernels.compiled import kernel

_FEW = 64


@kernel
def in_order(values: Floats) -> Floats:
    """The numbers in rising order; none may be NaN.

    Up to 64 numbers are inserted one by one, which costs less than a sort.
    """
    count = len(values)
    if count > _FEW:
        return np.sort(values)
    ordered = np.empty(count)
    for at in range(count):
        value = values[at]
        place = at
        while place > 0 and ordered[place - 1] > value:
            ordered[place] = ordered[place - 1]
            place -= 1
        ordered[place] = value
    return ordered


@kernel
def median_deviation(ordered: Floats, median: float) -> float:
    """The median absolute deviation of numbers in rising order from their median.

    Deviations rise from the median to either side, so the search for the middle ones goes
    outwards from it.
    """
    count = len(ordered)
    below, above = (count - 1) // 2, (count - 1) // 2 + 1
    former = latter = 0.0
    for _ in range(count // 2 + 1):
        former = latter
        if above == count or (below >= 0 and median - ordered[below] <= ordered[above] - median):
            latter = median - ordered[below]
            below -= 1
        else:
            latter = ordered[above] - median
            above += 1
    return latter if count % 2 else (former + latter) / 2.0
