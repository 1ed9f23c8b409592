"""Differences of counters. 64-bit integers never pass through a double, which holds 53 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from tocsin.kernels.batch import Booleans, Floats

Counts = Any  # an array of float64, int64 or uint64
"""Values of a counter."""


def difference(before: Counts, now: Counts) -> tuple[Booleans, Counts]:
    """Whether each counter fell, and by how much it rose or fell.

    Args:
        before: earlier values.
        now: later values, of the same type.

    Returns:
        The size of a difference is uint64 for integers, otherwise float64. Both are exact for
        integers.
    """
    fell = now < before
    if now.dtype.kind == "f":
        return fell, np.abs(now - before)
    high: Counts = np.where(fell, before, now)
    low: Counts = np.where(fell, now, before)
    return fell, high.view(np.uint64) - low.view(np.uint64)


def beyond_wrap(fall: Counts, bits: Floats | float) -> Floats:
    """How much a counter grew that wrapped at 2^bits and so fell by `fall`."""
    size: Floats = np.asarray(np.exp2(bits) - fall.astype(np.float64))
    if fall.dtype.kind == "f":
        return size
    # Unsigned integers wrap as the counter does.
    return np.where(np.equal(bits, 64), (np.uint64(0) - fall).astype(np.float64), size)
