"""The alarm system's health: alarms counted at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from tocsin.kernels.batch import Int64s
from tocsin.kernels.compiled import kernel

# ISA-18.2 calls an alarm stale that has been standing for a day.
_STALE_AFTER = 86_400e6


@kernel
def take_sample(sample: Any, time: float, states: Any, raised: Int64s) -> None:
    """Fill a HEALTH_SAMPLE. raised: raises by severity since the last sample; they become 0."""
    standing = unacknowledged = stale = shelved = suppressed = flapping = 0
    for slot in range(len(states)):
        state = states[slot]
        if state.announced == 1.0:
            standing += 1
            unacknowledged += 1 if state.acknowledged == 0.0 else 0
            stale += 1 if time - state.announced_at > _STALE_AFTER else 0
        shelved += 1 if state.shelved_until > time else 0
        suppressed += 1 if state.suppressed == 1.0 or state.withheld == 1.0 else 0
        flapping += 1 if state.flapping == 1.0 else 0
    sample.time, sample.standing, sample.unacknowledged = time, standing, unacknowledged
    sample.stale, sample.shelved = stale, shelved
    sample.suppressed, sample.flapping = suppressed, flapping
    for rank in range(len(raised)):
        sample.raised[rank] = raised[rank]
        raised[rank] = 0


@kernel
def take_samples(
    samples: Any,
    sampled: int,
    sample_at: float,
    every: float,
    last: float,
    states: Any,
    raised: Int64s,
) -> tuple[Any, int, float]:
    """Take the samples due until `last`, inclusive; the samples, their number, the next time."""
    while sample_at <= last:
        if sampled == len(samples):
            samples = doubled(samples)
        take_sample(samples[sampled], sample_at, states, raised)
        sampled, sample_at = sampled + 1, sample_at + every
    return samples, sampled, sample_at


@kernel
def doubled(records: Any) -> Any:
    """The records in an array with room for as many again."""
    longer = np.empty(2 * len(records), records.dtype)
    longer[: len(records)] = records
    return longer
