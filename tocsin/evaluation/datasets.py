"""The simulator's labelled series: those for development, and those that are held back for the final figures."""

from __future__ import annotations

import numpy as np

from tocsin.evaluation.labelled_series import Labelled
from tocsin.simulator.labelled import HELD_BACK, Simulated, inject, simulated
from tocsin.simulator.telemetry import DAY

_WEEK = 7 * DAY
_MOST = 60_000


def development(count: int) -> list[Labelled]:
    """Seeds from 0 on."""
    return [_labelled(simulated(seed)) for seed in range(count)]


def held_back(count: int) -> list[Labelled]:
    """Seeds that nothing was tuned on."""
    return [_labelled(simulated(HELD_BACK + seed)) for seed in range(count)]


def clean(count: int) -> list[Labelled]:
    """A week without an anomaly, of held-back seeds; at most 60,000 readings a series and at least 2,000."""
    found = []
    for seed in range(HELD_BACK * 2, HELD_BACK * 2 + count):
        first = simulated(seed, clean=True)
        readings = int(min(max(_WEEK / (first.t[1] - first.t[0]), 2_000), _MOST))
        found.append(_labelled(simulated(seed, clean=True, readings=readings)))
    return found


INJECTED = ["spike", "dip", "level", "noise", "stuck", "cluster"]
"""What can be told to be wrong in a recording of anything."""


def injected(series: list[Labelled], seed: int) -> list[Labelled]:
    """The same series with anomalies of known kinds put in; what was labelled or missing in them is left out."""
    found = []
    for at, one in enumerate(series):
        kept = ~np.isnan(one.x)
        for begin, end in one.ranges:
            kept[begin:end] = False
        x = one.x[kept].copy()
        ranges, kinds = inject(x, np.random.default_rng([seed, at]), INJECTED)
        found.append(Labelled(one.name, one.t[kept], x, ranges, kinds))
    return found


def _labelled(one: Simulated) -> Labelled:
    return Labelled(one.name, one.t, one.x, one.ranges, one.kinds)
