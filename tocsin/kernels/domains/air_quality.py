"""Air quality indices by edition, and corrections of low-cost sensors."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml

from tocsin.kernels.batch import Floats


@cache
def editions() -> dict[str, Any]:
    """The tables of all editions. `air_quality.yaml` has their sources and dates."""
    text = files("tocsin.kernels.domains").joinpath("air_quality.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def table_of(edition: str, pollutant: str) -> dict[str, Any]:
    """One pollutant's table.

    Raises:
        ValueError: for an unknown edition or pollutant. The text lists the known ones.
    """
    known = editions()
    if edition not in known:
        raise ValueError(
            f"no edition '{edition}' of an air quality index (known: {', '.join(known)})"
        )
    tables: dict[str, dict[str, Any]] = known[edition]["pollutants"]
    if pollutant not in tables:
        raise ValueError(f"edition '{edition}' has no '{pollutant}' (known: {', '.join(tables)})")
    return tables[pollutant]


def air_quality_index(edition: str, pollutant: str, concentration: Floats) -> Floats:
    """The sub-index of a pollutant. An air quality index is the maximum of its sub-indices.

    Editions that interpolate (US) truncate the concentration to the table's precision and round the
    result. Above the table they extrapolate the last segment, or give the table's `beyond`. Below a
    table that does not begin at 0 the result is NaN. Editions that classify (Europe) give the
    number of the band, from 1. Negative concentrations count as 0; NaN stays NaN.

    Args:
        edition: a key of `editions`.
        pollutant: a pollutant of that edition. Its name tells the averaging period.
        concentration: in the unit of the edition's table.

    Raises:
        ValueError: for an unknown edition or pollutant.

    Source: see `air_quality.yaml`, for each edition.
    """
    table = table_of(edition, pollutant)
    value = np.maximum(np.asarray(concentration, np.float64), 0.0)
    known = np.isfinite(value)
    if "upper" in table:
        band = 1.0 + np.searchsorted(
            np.array(table["upper"], np.float64), np.where(known, value, 0.0), side="left"
        )
        return np.where(known, band, np.nan)
    precision = table["precision"]
    # The binary value of 35.5 is slightly less and must not be truncated to 35.4.
    value = np.floor(np.where(known, value, 0.0) / precision + 1e-6) * precision
    low, high = (np.array(table["concentration"], np.float64)[:, at] for at in (0, 1))
    first, last = (np.array(table["index"], np.float64)[:, at] for at in (0, 1))
    at = np.clip(np.searchsorted(low - precision / 2.0, value, side="right") - 1, 0, len(low) - 1)
    index = (last[at] - first[at]) / (high[at] - low[at]) * (value - low[at]) + first[at]
    if "beyond" in table:
        index = np.where(
            value > high[-1] + precision / 2.0,
            np.nan if table["beyond"] is None else table["beyond"],
            index,
        )
    return np.where(known & (value >= low[0] - precision / 2.0), np.floor(index + 0.5), np.nan)


def nowcast(hours: Floats, least_weight: float = 0.5) -> Floats:
    """The US NowCast of particulate matter, in the unit of the means.

    The weight of an hour is w ** age with w = 1 - (max - min) / max, at least `least_weight`. Two
    of the newest three hours must have a value, otherwise the result is NaN.

    Args:
        hours: 12 hourly means for each row, the newest first, NaN for a missing hour.
        least_weight: the lowest w.

    Source: US EPA, Technical Assistance Document for the Reporting of Daily Air Quality (2024).
    The ozone NowCast has another formula.
    """
    rows = np.atleast_2d(np.asarray(hours, np.float64))
    known = np.isfinite(rows)
    enough = known[:, :3].sum(axis=1) >= 2
    least, most = (
        f(np.where(known, rows, fill), axis=1) for f, fill in ((np.min, np.inf), (np.max, -np.inf))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(most > 0.0, np.maximum(1.0 - (most - least) / most, least_weight), 1.0)
    powers = np.where(known, weight[:, None] ** np.arange(rows.shape[1]), 0.0)
    total = powers.sum(axis=1)
    value = (powers * np.where(known, rows, 0.0)).sum(axis=1) / np.where(total > 0.0, total, 1.0)
    return np.where(enough, value, np.nan)


def ozone_nowcast_fallback(concentration: Floats) -> Floats:
    """The ozone NowCast in ppb where there is too little data for the regression.

    Args:
        concentration: mean of the newest hour, ppb.

    Source: US EPA, Technical Assistance Document for the Reporting of Daily Air Quality (2024).
    """
    return np.asarray(0.85 * concentration + 4.5)


def aqhi(nitrogen_dioxide: Floats, ozone: Floats, pm25: Floats) -> Floats:
    """Canada's Air Quality Health Index, not rounded.

    Args:
        nitrogen_dioxide: three-hour mean, ppb.
        ozone: three-hour mean, ppb.
        pm25: three-hour mean, ug/m3.

    Source: Stieb and others, A new multipollutant, no-threshold air quality health index,
    J. Air Waste Manage. Assoc. 58 (2008).
    """
    excess = (
        np.expm1(0.000871 * nitrogen_dioxide)
        + np.expm1(0.000537 * ozone)
        + np.expm1(0.000487 * pm25)
    )
    return np.asarray(1000.0 / 10.4 * excess)


def purpleair_pm25(reported: Floats, humidity: Floats) -> Floats:
    """The corrected PM2.5 of a PurpleAir sensor, ug/m3.

    Args:
        reported: the sensor's cf_1 value, ug/m3.
        humidity: relative humidity, percent.

    Source: Barkjohn and others, Atmos. Meas. Tech. 14 (2021).
    """
    return np.asarray(0.524 * reported - 0.0852 * humidity + 5.72)


def channels_agree(one: Floats, other: Floats) -> Any:
    """Whether both channels of a PurpleAir sensor agree: within 5 ug/m3, or 70 % of their mean.

    Args:
        one: PM2.5 of one channel, ug/m3.
        other: PM2.5 of the other channel, ug/m3.

    Source: Barkjohn and others, Atmos. Meas. Tech. 14 (2021).
    """
    apart = np.abs(np.asarray(one) - other)
    with np.errstate(invalid="ignore", divide="ignore"):
        return ~((apart > 5.0) & (2.0 * apart / (np.asarray(one) + other) > 0.7))


# g/mol.
MOLAR_MASS = {
    "o3": 48.0,
    "no2": 46.006,
    "no": 30.006,
    "so2": 64.066,
    "co": 28.01,
    "nh3": 17.031,
    "h2s": 34.08,
    "c6h6": 78.11,
}
_GAS_CONSTANT = 8.314462618


def molar_mass(pollutant: str) -> float:
    """The molar mass of a gas, g/mol.

    Raises:
        ValueError: for an unknown gas. The text lists the known ones.
    """
    if pollutant not in MOLAR_MASS:
        raise ValueError(f"no molar mass of '{pollutant}' (known: {', '.join(MOLAR_MASS)})")
    return MOLAR_MASS[pollutant]


def micrograms_of_ppb(pollutant: str, ppb: Floats, temperature: Floats, pressure: Floats) -> Floats:
    """A gas concentration in ug/m3, by the ideal gas law.

    European limit values refer to 20 °C and those of the US to 25 °C, both at 1013.25 hPa.

    Args:
        pollutant: a key of `MOLAR_MASS`.
        ppb: mixing ratio, ppb.
        temperature: degrees Celsius.
        pressure: hPa.

    Raises:
        ValueError: for a gas without a known molar mass.
    """
    volume = _GAS_CONSTANT * (np.asarray(temperature) + 273.15) / (np.asarray(pressure) * 100.0)
    return np.asarray(ppb * molar_mass(pollutant) / volume * 1e-3)


def ppb_of_micrograms(
    pollutant: str, micrograms: Floats, temperature: Floats, pressure: Floats
) -> Floats:
    """A mixing ratio in ppb: the inverse of `micrograms_of_ppb`.

    Args:
        pollutant: a key of `MOLAR_MASS`.
        micrograms: concentration, ug/m3.
        temperature: degrees Celsius.
        pressure: hPa.

    Raises:
        ValueError: for a gas without a known molar mass.
    """
    return np.asarray(
        micrograms
        / micrograms_of_ppb(pollutant, np.ones(np.shape(micrograms)), temperature, pressure)
    )
