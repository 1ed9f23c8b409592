"""Kinds of telemetry of a city and its computers: normal series of each kind, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tocsin.kernels.batch import Floats

DAY = 86_400.0
Random = np.random.Generator


@dataclass(frozen=True)
class Kind:
    """A kind of telemetry.

    Attributes:
        cadences: possible seconds between readings.
        make: gives values at times (seconds since 1970).
        lowest, highest: bounds of its values.
        rhythmic: whether it has a rhythm that an anomaly can remove.
    """

    name: str
    cadences: tuple[float, ...]
    make: Callable[[Floats, Random], Floats]
    lowest: float = -np.inf
    highest: float = np.inf
    rhythmic: bool = False


def _autoregressive(size: int, memory: float, random: Random) -> Floats:
    """Autoregressive noise of variance 1. memory: coefficient, from 0 to below 1."""
    steps = random.normal(size=size) * np.sqrt(1 - memory**2)
    found = np.empty(size)
    value = random.normal()
    for at in range(size):
        value = memory * value + steps[at]
        found[at] = value
    return found


def _hour(t: Floats) -> Floats:
    return t % DAY / 3600


def _working(t: Floats) -> np.ndarray:
    return (t // DAY + 3) % 7 < 5


def _busy(t: Floats, random: Random) -> Floats:
    """Activity from 0 to about 1, with two peaks on working days."""
    shift = random.normal() * 0.7
    hour = _hour(t) - shift
    work = (
        0.9 * np.exp(-((hour - 8.5) ** 2) / 6)
        + np.exp(-((hour - 17.0) ** 2) / 9)
        + 0.5 * np.exp(-((hour - 12.5) ** 2) / 20)
    )
    rest = 0.7 * np.exp(-((hour - 14.5) ** 2) / 20)
    quiet = random.uniform(0.3, 1.0)
    return 0.08 + np.where(_working(t), work, quiet * rest)


def _processor(t: Floats, random: Random) -> Floats:
    """Load in per cent: a level, noise and occasional short jobs."""
    level = random.uniform(2, 60)
    noise = _autoregressive(len(t), random.uniform(0, 0.8), random) * random.uniform(0.2, 3)
    jobs = np.zeros(len(t))
    every = int(random.choice([12, 60, 288]))
    jobs[::every] = random.uniform(0, 10)
    rare = random.random(len(t)) < random.uniform(0, 0.004)
    return level + noise + jobs + rare * random.uniform(3, 12, len(t))


def _counts(t: Floats, random: Random) -> Floats:
    """Counts with a daily and weekly rhythm, such as people, vehicles or requests."""
    rate = (
        random.uniform(3, 400)
        * _busy(t, random)
        * np.exp(0.15 * _autoregressive(len(t), 0.95, random))
    )
    return random.poisson(rate).astype(np.float64)


def _bursts(t: Floats, random: Random) -> Floats:
    """Counts in bursts, such as mentions, alarms or flows. A heavy tail is normal."""
    rate = random.uniform(2, 40) * (0.3 + _busy(t, random))
    heavy = np.exp(random.uniform(0.4, 0.9) * random.normal(size=len(t)))
    burst = (random.random(len(t)) < 0.01) * random.pareto(2.5, len(t)) * 3
    found: Floats = random.poisson(rate * (heavy + np.minimum(burst, 12))).astype(np.float64)
    return found


def _temperature(t: Floats, random: Random) -> Floats:
    """A daily wave, weather and a little noise."""
    wave = -np.cos(2 * np.pi * (_hour(t) - 3) / 24) * random.uniform(1, 6)
    slow = random.uniform(1, 4) * _slow(t, random, np.array([2.3, 3.7, 5.9, 11.0]))
    return (
        random.uniform(5, 25) + wave + slow + random.uniform(0.05, 0.4) * random.normal(size=len(t))
    )


def _slow(t: Floats, random: Random, periods: Floats) -> Floats:
    phases = random.uniform(0, 2 * np.pi, len(periods))
    found: Floats = np.sin(2 * np.pi * t[:, None] / (periods * DAY) + phases).mean(axis=1) * 1.5
    return found


def _schedule(t: Floats, random: Random) -> Floats:
    """On by day and off by night: a square wave with little or much noise."""
    begin, length = random.uniform(5, 10), random.uniform(6, 12)
    on = (_hour(t) >= begin) & (_hour(t) < begin + length)
    low, high = random.uniform(5, 40), random.uniform(60, 100)
    found: Floats = np.where(on, high, low) + random.choice([0.01, 1.0, 5.0]) * random.normal(
        size=len(t)
    )
    return found


def _spiky(t: Floats, random: Random) -> Floats:
    """Quiet, with a spike at a fixed interval."""
    every = int(random.choice([12, 36, 72, 144]))
    spikes = np.zeros(len(t))
    at = np.arange(int(random.integers(every)), len(t), every)
    spikes[at] = random.uniform(20, 60) * (1 + 0.15 * random.normal(size=len(at)))
    return random.uniform(0, 10) + spikes + random.uniform(0.1, 1.5) * random.normal(size=len(t))


def _wander(t: Floats, random: Random) -> Floats:
    """A level that wanders, such as disk use, batteries or pressure."""
    steps = random.standard_t(4, len(t)) * random.uniform(0.02, 0.3)
    return random.uniform(20, 200) + np.cumsum(steps)


def _journey(t: Floats, random: Random) -> Floats:
    """Travel times and speeds: skewed, with rush hours."""
    free = random.uniform(60, 600)
    jam = 1 + random.uniform(0.1, 1.2) * _busy(t, random) ** 2 * np.exp(
        0.3 * _autoregressive(len(t), 0.8, random)
    )
    return free * jam * np.exp(random.uniform(0.03, 0.2) * random.normal(size=len(t)))


def _waveform(t: Floats, random: Random) -> Floats:
    """A machine's cycle: harmonics of a period in readings, independent of the clock."""
    period = random.uniform(20, 200)
    phase = (
        2 * np.pi * np.arange(len(t)) / period
        + 0.1 * np.cumsum(_autoregressive(len(t), 0.99, random)) / period
    )
    shape = sum(random.normal() / k * np.cos(k * phase + random.uniform(0, 6)) for k in range(1, 6))
    return random.uniform(-5, 50) + random.uniform(0.5, 10) * (
        shape + random.uniform(0.02, 0.15) * random.normal(size=len(t))
    )


def _machine(t: Floats, random: Random) -> Floats:
    """Latency or temperature of a machine: autoregressive noise, with changes of regime."""
    regime = np.cumsum((random.random(len(t)) < 0.0006) * random.normal(size=len(t)) * 2)
    return (
        random.uniform(30, 100)
        + regime
        + random.uniform(0.5, 4) * _autoregressive(len(t), random.uniform(0.7, 0.98), random)
    )


def _quiet(t: Floats, random: Random) -> Floats:
    """Nearly constant, such as a state or a rare count."""
    found: Floats = random.choice([0.0, 1.0, 20.0]) + (
        random.random(len(t)) < random.uniform(0, 0.05)
    ) * random.integers(1, 3, len(t))
    return found


KINDS = (
    Kind("processor", (60.0, 300.0), _processor, 0.0, 100.0),
    Kind("counts", (300.0, 900.0, 1800.0, 3600.0), _counts, 0.0, rhythmic=True),
    Kind("bursts", (60.0, 300.0), _bursts, 0.0),
    Kind("temperature", (300.0, 600.0, 3600.0), _temperature, rhythmic=True),
    Kind("schedule", (300.0, 600.0), _schedule, rhythmic=True),
    Kind("spiky", (300.0,), _spiky, 0.0, rhythmic=True),
    Kind("wander", (60.0, 300.0, 3600.0), _wander),
    Kind("journey", (300.0, 600.0), _journey, 0.0, rhythmic=True),
    Kind("waveform", (1.0, 10.0), _waveform, rhythmic=True),
    Kind("machine", (1.0, 60.0, 300.0, DAY), _machine),
    Kind("quiet", (60.0, 300.0), _quiet, 0.0),
)
