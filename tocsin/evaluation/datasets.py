"""The simulator's labelled series: for development, and held back for the final figures."""

from __future__ import annotations

import numpy as np

from tocsin.evaluation.labelled_series import Labelled
from tocsin.simulator.labelled import HELD_BACK, Simulated, inject, simulated
from tocsin.simulator.telemetry import DAY

_WEEK = 7 * DAY
_FEWEST, _MOST = 2_000, 60_000


def development(count: int) -> list[Labelled]:
    """`count` series for development: seeds from 0."""
    return [_labelled(simulated(seed)) for seed in range(count)]


def held_back(count: int) -> list[Labelled]:
    """`count` series for the final figures: seeds on which no detector was tuned."""
    return [_labelled(simulated(HELD_BACK + seed)) for seed in range(count)]


def clean(count: int) -> list[Labelled]:
    """`count` series of a week without anomalies, of 2,000 to 60,000 readings."""
    found = []
    for seed in range(HELD_BACK * 2, HELD_BACK * 2 + count):
        first = simulated(seed, clean=True)
        readings = int(min(max(_WEEK / (first.t[1] - first.t[0]), _FEWEST), _MOST))
        found.append(_labelled(simulated(seed, clean=True, readings=readings)))
    return found


INJECTED = ["spike", "dip", "level", "noise", "stuck", "cluster"]
"""Kinds of anomalies that are recognisable in any recording."""


def injected(series: list[Labelled], seed: int) -> list[Labelled]:
    """The series with injected anomalies; their labelled and missing readings are left out."""
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
