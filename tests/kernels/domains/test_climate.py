"""Humidity and comfort against their formulas in `math`, at and around every limit."""

from __future__ import annotations

from math import exp, isnan, log, sqrt
from typing import Any

import numpy as np
import pytest

from tocsin.kernels.domains import climate

INF, NAN = float("inf"), float("nan")
TEMPERATURES = [-40.0, -5.0, 0.0, 10.0, 21.0, 35.0, 48.0]
HUMIDITIES = [0.5, 20.0, 50.0, 99.0, 100.0]


def one(function: Any, *arguments: float) -> float:
    (found,) = function(*(np.array([value]) for value in arguments)).tolist()
    return float(found)


def pressure(temperature: float, humidity: float) -> float:
    """Vapour pressure in hPa by Magnus' form."""
    return 6.1094 * exp(17.625 * temperature / (243.04 + temperature)) * humidity / 100


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("humidity", HUMIDITIES)
def test_vapour_pressure_humidity_and_dew_point_are_inverses(
    temperature: float, humidity: float
) -> None:
    vapour = one(climate.vapour_pressure, temperature, humidity)
    assert vapour == pytest.approx(pressure(temperature, humidity), rel=1e-12)
    assert one(climate.relative_humidity, temperature, vapour) == pytest.approx(humidity)
    point = one(climate.dew_point, temperature, humidity)
    # At the dew point the same vapour saturates the air.
    assert pressure(point, 100.0) == pytest.approx(vapour)
    expected = temperature + 5 / 9 * (vapour - 10)
    assert one(climate.humidex, temperature, humidity) == pytest.approx(expected)


def test_vapour_pressure_of_freezing_saturated_air() -> None:
    assert one(climate.vapour_pressure, 0.0, 100.0) == pytest.approx(6.1094, rel=1e-12)


@pytest.mark.parametrize(
    ("humidity", "counts_as"),
    [(-1.0, 0.0), (0.0, 0.0), (100.0, 100.0), (101.0, 100.0), (INF, 100.0)],
)
def test_humidity_is_limited_to_0_and_100(humidity: float, counts_as: float) -> None:
    found = one(climate.vapour_pressure, 20.0, humidity)
    assert found == pytest.approx(pressure(20.0, counts_as), rel=1e-12)
    point = one(climate.dew_point, 20.0, humidity)
    assert isnan(point) if counts_as == 0 else point == pytest.approx(20.0)


def fahrenheit_index(t: float, r: float) -> float:
    """The heat index of the weather service, as its page describes it, in degrees Fahrenheit."""
    simple = (t + 0.5 * (t + 61 + (t - 68) * 1.2 + r * 0.094)) / 2
    if simple < 80:
        return simple
    coefficients = [
        [-42.379, 10.14333127, -5.481717e-2],
        [2.04901523, -0.22475541, 8.5282e-4],
        [-6.83783e-3, 1.22874e-3, -1.99e-6],
    ]
    found = sum(c * t**i * r**j for i, row in enumerate(coefficients) for j, c in enumerate(row))
    if r < 13 and 80 <= t <= 112:
        found -= (13 - r) / 4 * sqrt((17 - abs(t - 95)) / 17)
    if r > 85 and 80 <= t <= 87:
        found += (r - 85) / 10 * (87 - t) / 5
    return found


@pytest.mark.parametrize("humidity", [0.0, 5.0, 12.9, 13.0, 13.1, 40.0, 84.9, 85.0, 85.1, 100.0])
def test_the_heat_index_is_that_of_the_weather_service(humidity: float) -> None:
    # Steps of 1.8 °F would miss the limits.
    for fahrenheit in np.arange(60.0, 121.0, 0.5).tolist():
        celsius = (fahrenheit - 32) * 5 / 9
        # The conversion back may fall to the other side of a limit by a rounding.
        nearly = celsius * 9 / 5 + 32
        expected = (fahrenheit_index(nearly, humidity) - 32) * 5 / 9
        assert one(climate.heat_index, celsius, humidity) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("celsius", [20.0, 25.0, 30.0, 35.0, 45.0, 50.0])
@pytest.mark.parametrize("humidity", [5.0, 12.0, 13.0, 86.0, 100.0])
def test_the_heat_index_at_exact_temperatures(celsius: float, humidity: float) -> None:
    expected = (fahrenheit_index(celsius * 9 / 5 + 32, humidity) - 32) * 5 / 9
    assert one(climate.heat_index, celsius, humidity) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("temperature", [-40.0, 0.0, 9.9, 10.0, 10.1, 30.0])
@pytest.mark.parametrize("speed", [-3.0, 0.0, 4.7, 4.8, 4.9, 60.0])
def test_wind_chill_is_felt_in_cold_and_wind_only(temperature: float, speed: float) -> None:
    if temperature > 10 or speed <= 4.8:
        expected = temperature
    else:
        power = exp(0.16 * log(speed))
        expected = 13.12 + 0.6215 * temperature - 11.37 * power + 0.3965 * temperature * power
    assert one(climate.wind_chill, temperature, speed) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        climate.vapour_pressure,
        climate.relative_humidity,
        climate.dew_point,
        climate.heat_index,
        climate.humidex,
        climate.wind_chill,
    ],
)
def test_a_missing_argument_gives_a_missing_result(function: Any) -> None:
    for arguments in ((NAN, 50.0), (20.0, NAN), (NAN, NAN), (-5.0, NAN)):
        assert isnan(one(function, *arguments))
    assert function(np.zeros(0), np.zeros(0)).tolist() == []
