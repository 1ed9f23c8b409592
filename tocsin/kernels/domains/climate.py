"""Humidity and thermal comfort indices."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats

# Magnus coefficients of sensortoolkit (US EPA).
_A, _B = 17.625, 243.04


def vapour_pressure(temperature: Floats, humidity: Floats) -> Floats:
    """The vapour pressure over water in hPa. Averages of humidity use it.

    Args:
        temperature: degrees Celsius.
        humidity: relative humidity in percent, limited to 0 to 100.

    Source: the Magnus form with the coefficients of sensortoolkit (US EPA).
    """
    return np.asarray(
        6.1094
        * np.exp(_A * temperature / (_B + temperature))
        * np.clip(humidity, 0.0, 100.0)
        / 100.0
    )


def relative_humidity(temperature: Floats, pressure: Floats) -> Floats:
    """The relative humidity in percent: the inverse of `vapour_pressure`.

    Args:
        temperature: degrees Celsius.
        pressure: vapour pressure, hPa.
    """
    return np.asarray(
        100.0 * pressure / vapour_pressure(temperature, np.full(np.shape(temperature), 100.0))
    )


def dew_point(temperature: Floats, humidity: Floats) -> Floats:
    """The dew point in degrees Celsius.

    Args:
        temperature: degrees Celsius.
        humidity: relative humidity in percent. Above 100 counts as 100; 0 and less give NaN.

    Source: the Magnus form with the coefficients of sensortoolkit (US EPA).
    """
    held = np.where(humidity > 0.0, np.minimum(humidity, 100.0), np.nan)
    ratio = np.log(held / 100.0) + _A * temperature / (_B + temperature)
    return np.asarray(_B * ratio / (_A - ratio))


def heat_index(temperature: Floats, humidity: Floats) -> Floats:
    """The heat index in degrees Celsius.

    Rothfusz' regression with both adjustments; Steadman's simple form below 80 °F.

    Args:
        temperature: degrees Celsius.
        humidity: relative humidity, percent.

    Source: US National Weather Service, Weather Prediction Center, The Heat Index Equation.
    """
    t, r = np.asarray(temperature) * 9.0 / 5.0 + 32.0, np.asarray(humidity)
    simple = (0.5 * (t + 61.0 + 1.2 * (t - 68.0) + 0.094 * r) + t) / 2.0
    full = (
        -42.379
        + 2.04901523 * t
        + 10.14333127 * r
        - 0.22475541 * t * r
        - 0.00683783 * t**2
        - 0.05481717 * r**2
        + 0.00122874 * t**2 * r
        + 0.00085282 * t * r**2
        - 0.00000199 * t**2 * r**2
    )
    dry = (r < 13.0) & (t >= 80.0) & (t <= 112.0)
    damp = (r > 85.0) & (t >= 80.0) & (t <= 87.0)
    full = full - np.where(
        dry, (13.0 - r) / 4.0 * np.sqrt(np.maximum(17.0 - np.abs(t - 95.0), 0.0) / 17.0), 0.0
    )
    full = full + np.where(damp, (r - 85.0) / 10.0 * (87.0 - t) / 5.0, 0.0)
    return np.asarray((np.where(simple < 80.0, simple, full) - 32.0) * 5.0 / 9.0)


def humidex(temperature: Floats, humidity: Floats) -> Floats:
    """The humidex, a number on the scale of degrees Celsius.

    Args:
        temperature: degrees Celsius.
        humidity: relative humidity, percent.

    Source: Masterton and Richardson, Humidex, Environment Canada (1979).
    """
    return np.asarray(temperature + 5.0 / 9.0 * (vapour_pressure(temperature, humidity) - 10.0))


def wind_chill(temperature: Floats, speed: Floats) -> Floats:
    """The wind chill in degrees Celsius: the temperature itself above 10 °C or up to 4.8 km/h.

    Args:
        temperature: degrees Celsius.
        speed: wind speed 10 m above the ground, km/h.

    Source: the index of Environment Canada and the US National Weather Service (2001).
    """
    power = np.power(np.maximum(speed, 0.0), 0.16)
    felt = 13.12 + 0.6215 * temperature - 11.37 * power + 0.3965 * temperature * power
    return np.asarray(
        np.where((temperature <= 10.0) & (speed > 4.8), felt, temperature + 0.0 * speed)
    )
