"""The usual value at a time of day or week: means of bins, with straight lines between them."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats
from tocsin.kernels.compiled import kernel


@kernel
def profile_at(
    means: Floats, counts: Floats, phase: float, enough: float, fallback: float
) -> float:
    """The profile at a phase from 0 to 1 of its period.

    A bin with fewer than `enough` values counts as `fallback`.
    """
    bins = len(means)
    place = phase * bins - 0.5
    left = int(np.floor(place))
    share = place - left
    a, b = left % bins, (left + 1) % bins
    before = means[a] if counts[a] >= enough else fallback
    after = means[b] if counts[b] >= enough else fallback
    return before * (1.0 - share) + after * share


@kernel
def learn_profile(means: Floats, counts: Floats, phase: float, value: float, most: float) -> None:
    """Put a value into its bin's mean, in place. most: values after which a bin forgets."""
    at = int(phase * len(means)) % len(means)
    counts[at] += 1.0
    means[at] += (value - means[at]) / min(counts[at], most)
