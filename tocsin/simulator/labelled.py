"""Series of telemetry with labelled anomalies of known kind and size, from a seed.

Seeds from `HELD_BACK` up serve the final figures only: no detector is tuned on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tocsin.kernels.batch import Floats
from tocsin.simulator.telemetry import KINDS, Kind

HELD_BACK = 1_000_000
_START = 1_772_409_600.0  # 2026-03-02T00:00Z, a Monday

ANOMALIES = (
    "spike",
    "dip",
    "level",
    "drift",
    "noise",
    "stuck",
    "lost_rhythm",
    "stretched",
    "cluster",
)
"""Kinds of anomalies.

spike, dip: a few readings far off. level: another level, for a time or for ever. drift: a slow
rise or fall. noise: additional noise. stuck: no change. lost_rhythm: the middle of the rhythm.
stretched: another amplitude of the rhythm. cluster: many small spikes.
"""


@dataclass(frozen=True)
class Simulated:
    """A simulated series.

    Attributes:
        name: kind of telemetry and seed.
        t: seconds since 1970.
        x: values.
        ranges: anomalous readings, each from the first to the one after the last.
        kinds: the kind of each range, one of `ANOMALIES`.
    """

    name: str
    t: Floats
    x: Floats
    ranges: tuple[tuple[int, int], ...]
    kinds: tuple[str, ...]


def simulated(
    seed: int, clean: bool = False, readings: int | None = None, kind: Kind | None = None
) -> Simulated:
    """The series of a seed, with up to three anomalies, or none if `clean`.

    readings: its length; None to draw it. kind: of telemetry; None for the kinds in turn.
    """
    random = np.random.default_rng([seed, 20])
    kind = kind or KINDS[seed % len(KINDS)]
    size = readings or int(random.choice([1_500, 2_500, 4_032, 8_000]))
    cadence = float(random.choice(kind.cadences))
    t: Floats = np.asarray(_START + np.arange(size) * cadence, np.float64)
    x = kind.make(t, random)
    ranges, kinds = inject(x, random, [] if clean else _possible(kind))
    return Simulated(f"{kind.name}-{seed}", t, np.clip(x, kind.lowest, kind.highest), ranges, kinds)


def inject(
    x: Floats, random: np.random.Generator, possible: list[str]
) -> tuple[tuple[tuple[int, int], ...], tuple[str, ...]]:
    """Change values in place to have one to three anomalies of the possible kinds.

    Returns their ranges and kinds in order of time; without possible kinds, none.
    """
    size = len(x)
    ranges: list[tuple[int, int]] = []
    kinds: list[str] = []
    for _ in range(int(random.choice([1, 1, 2, 3])) if possible else 0):
        what = str(random.choice(possible))
        length = _length(what, size, random)
        begin = int(random.integers(size // 5, size - length - 2))
        if any(
            begin < end + size // 20 and begin + length > first - size // 20
            for first, end in ranges
        ):
            continue
        lasting = _apply(what, x, begin, length, random)
        ranges.append((begin, begin + length))
        kinds.append(what)
        if lasting:
            break
    order = sorted(range(len(ranges)), key=lambda at: ranges[at])
    return tuple(ranges[at] for at in order), tuple(kinds[at] for at in order)


def _possible(kind: Kind) -> list[str]:
    """The kinds that can be detected: a quiet series always looks stuck, a wandering one drifts."""
    left = list(ANOMALIES)
    if not kind.rhythmic:
        left = [one for one in left if one not in ("lost_rhythm", "stretched")]
    if kind.name == "quiet":
        left = ["spike", "level", "noise", "cluster"]
    if kind.name in ("wander", "machine"):
        left = [one for one in left if one not in ("drift", "level")]
    if kind.name == "bursts":
        left = ["spike", "level", "cluster", "stuck"]
    return left


def _length(what: str, size: int, random: np.random.Generator) -> int:
    if what in ("spike", "dip"):
        return int(random.integers(1, 6))
    return int(size * random.uniform(0.015, 0.06))


def _apply(what: str, x: Floats, begin: int, length: int, random: np.random.Generator) -> bool:
    """Change the values in place. Returns whether the rest of the series is changed, too."""
    before, here = x[:begin], slice(begin, begin + length)
    low, high = np.quantile(before, [0.02, 0.98])
    spread = max(high - low, 0.5)
    steps = np.abs(np.diff(before))
    rough = max(float(np.quantile(steps, 0.98)) if len(steps) else 0.0, 0.05 * spread)
    way = random.choice([-1.0, 1.0])
    if what == "spike":
        x[here] = np.maximum(
            x[here] + random.uniform(1.5, 4) * rough, high + random.uniform(0.2, 1.5) * spread
        )
    elif what == "dip":
        x[here] = np.minimum(
            x[here] - random.uniform(1.5, 4) * rough, low - random.uniform(0.2, 1.0) * spread
        )
    elif what == "level":
        shift = way * random.uniform(0.7, 1.6) * spread
        if random.random() < 0.3:
            x[begin:] += shift
            return True
        x[here] += shift
    elif what == "drift":
        x[here] += way * np.linspace(0, random.uniform(1.0, 2.0) * spread, length)
    elif what == "noise":
        x[here] += random.normal(size=length) * random.uniform(1.0, 2.5) * rough
    elif what == "stuck":
        x[here] = x[begin - 1]
    elif what == "lost_rhythm":
        x[here] = np.median(before) + random.choice(before - np.median(before), length) * 0.05
    elif what == "stretched":
        middle = np.median(before)
        x[here] = middle + (x[here] - middle) * random.choice([0.25, 1.8, 2.5])
    else:
        x[here] += (random.random(length) < 0.25) * random.uniform(0.6, 1.2) * spread
    return False
