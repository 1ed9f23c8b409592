"""The true values before any fault: daily and weekly rhythm, weather and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tocsin.kernels.batch import Floats

_DAY = 86_400.0


@dataclass(frozen=True)
class Metric:
    """A measured quantity; all numbers are in its unit.

    level: typical value. rhythm, weather: amplitudes of the daily rhythm and of the weather.
    noise: standard deviation. resolution: step between values. lowest: smallest possible value.
    """

    name: str
    level: float
    rhythm: float
    weather: float
    noise: float
    resolution: float
    lowest: float


AIR = (
    Metric("pm25", 12.0, 5.0, -2.5, 0.8, 0.1, 0.0),
    Metric("pm10", 22.0, 9.0, -4.0, 1.5, 0.1, 0.0),
    Metric("no2", 28.0, 16.0, -5.0, 2.0, 0.1, 0.0),
    Metric("o3", 55.0, -18.0, 6.0, 2.5, 0.1, 0.0),
)
CLIMATE = (
    Metric("temperature", 14.0, 4.0, 3.0, 0.15, 0.01, -40.0),
    Metric("humidity", 65.0, -12.0, -8.0, 0.8, 0.1, 1.0),
    Metric("wind_speed", 3.0, 1.0, 1.2, 0.4, 0.1, 0.0),
    Metric("wind_direction", 180.0, 40.0, 90.0, 12.0, 1.0, 0.0),
)


def traffic_rhythm(seconds: Floats) -> Floats:
    """The rhythm of traffic, about -1 to 1: two peaks on working days, a flat one at weekends.

    seconds: since 1970.
    """
    hour = seconds % _DAY / 3600.0
    weekday = (seconds // _DAY + 3) % 7  # 1970-01-01 was a Thursday
    peaks = np.exp(-((hour - 8.2) ** 2) / 2.5) + np.exp(-((hour - 17.8) ** 2) / 4.0)
    hump = 0.6 * np.exp(-((hour - 14.0) ** 2) / 18.0)
    return np.where(weekday < 5, peaks, hump) * 1.6 - 0.6


def weather(seconds: Floats, seed: int) -> Floats:
    """Passing fronts, about -1 to 1: a sum of slow waves with phases from the seed."""
    phases = np.random.default_rng([seed, 17]).uniform(0, 2 * np.pi, 4)
    periods = np.array([2.3, 3.7, 5.9, 11.0]) * _DAY
    waves: Floats = np.sin(2 * np.pi * seconds[:, None] / periods + phases)
    mean: Floats = waves.mean(axis=1) * 1.5
    return mean


def signal(metric: Metric, seconds: Floats, busy: Floats, noise: Floats, fronts: Floats) -> Floats:
    """The value of a metric at each reading.

    seconds: since 1970. busy: of the place. noise: standard normal. fronts: from `weather`.
    """
    daily = (
        traffic_rhythm(seconds)
        if metric.name not in ("temperature", "humidity", "o3")
        else _sun(seconds)
    )
    value = (
        metric.level
        + metric.rhythm * daily * (0.5 + busy)
        + metric.weather * fronts
        + metric.noise * noise
    )
    return np.maximum(value, metric.lowest)


def _sun(seconds: Floats) -> Floats:
    return -np.cos(2 * np.pi * (seconds % _DAY / _DAY - 1 / 12))


def rounded(values: Floats, resolution: float) -> Floats:
    """Values rounded to the sensor's resolution."""
    return np.round(np.round(values / resolution) * resolution, 6)
