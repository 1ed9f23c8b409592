"""What is usual at this time of a day or week: means of bins, between which it goes on in a straight line."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.compiled import kernel


@kernel
def profile_at(means, counts, phase, enough, fallback):  # type: ignore[no-untyped-def]
    """The profile at a phase from 0 to 1; a bin of fewer than `enough` values counts as `fallback`. UTC, as the event time is."""
    bins = len(means)
    place = phase * bins - 0.5
    left = int(np.floor(place))
    share = place - left
    a, b = left % bins, (left + 1) % bins
    before = means[a] if counts[a] >= enough else fallback
    after = means[b] if counts[b] >= enough else fallback
    return before * (1.0 - share) + after * share


@kernel
def learn_profile(means, counts, phase, value, most):  # type: ignore[no-untyped-def]
    """Put a value into its bin's mean, of about the last `most` values."""
    at = int(phase * len(means)) % len(means)
    counts[at] += 1.0
    means[at] += (value - means[at]) / min(counts[at], most)
