"""Air quality by loops over the published formulas, at and around every limit."""

from __future__ import annotations

from math import exp, isnan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.domains import air_quality

INF, NAN = float("inf"), float("nan")
hour = st.sampled_from([NAN, NAN, 0.0, 3.0, 10.0, 30.0, 100.0])


def nowcast(hours: list[float], least: float) -> float:
    """The NowCast by the steps of the agency's document."""
    known = [(age, value) for age, value in enumerate(hours) if not isnan(value)]
    if sum(age < 3 for age, _ in known) < 2:
        return NAN
    values = [value for _, value in known]
    weight = 1.0
    if max(values) > 0:
        weight = max(1 - (max(values) - min(values)) / max(values), least)
    return sum(weight**age * value for age, value in known) / sum(weight**age for age, _ in known)


@given(st.lists(st.lists(hour, min_size=12, max_size=12), min_size=1, max_size=3))
def test_the_nowcast_weighs_the_hours_by_their_age(rows: list[list[float]]) -> None:
    found = air_quality.nowcast(np.array(rows))
    expected = [nowcast(row, 0.5) for row in rows]
    assert found.tolist() == pytest.approx(expected, nan_ok=True)
    other = air_quality.nowcast(np.array(rows), 0.1)
    assert other.tolist() == pytest.approx([nowcast(row, 0.1) for row in rows], nan_ok=True)


@pytest.mark.parametrize("missing", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (3,), (3, 4)])
def test_the_nowcast_needs_two_of_the_newest_three_hours(missing: tuple[int, ...]) -> None:
    hours = [5.0] * 12
    for at in missing:
        hours[at] = NAN
    (found,) = air_quality.nowcast(np.array(hours)).tolist()
    assert isnan(found) if sum(at < 3 for at in missing) > 1 else found == 5.0


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (10.0, 15.0, True),
        (15.0, 10.0, True),
        # More than 5 apart, and at most or more than 70 % of the mean.
        (6.5, 13.5, True),
        (13.5, 6.5, True),
        (6.4, 13.6, False),
        (13.6, 6.4, False),
        (0.0, 5.0, True),
        (0.0, 5.1, False),
        (0.0, 0.0, True),
        (100.0, 106.0, True),
    ],
)
def test_channels_agree_within_5_or_70_percent(one: float, other: float, agree: bool) -> None:
    found = air_quality.channels_agree(np.array([one]), np.array([other]))
    assert found.tolist() == [agree]


@pytest.mark.parametrize("pollutant", sorted(air_quality.MOLAR_MASS))
@pytest.mark.parametrize("temperature", [0.0, 25.0])
@pytest.mark.parametrize("pressure", [900.0, 1013.25])
def test_concentrations_follow_the_ideal_gas_law(
    pollutant: str, temperature: float, pressure: float
) -> None:
    # Moles of air in a cubic metre, of which a billionth is the gas, in micrograms.
    moles = pressure * 100 / (8.314462618 * (temperature + 273.15))
    expected = 40.0 * 1e-9 * moles * air_quality.molar_mass(pollutant) * 1e6
    at = np.array([temperature]), np.array([pressure])
    found = air_quality.micrograms_of_ppb(pollutant, np.array([40.0]), *at)
    assert found.tolist() == pytest.approx([expected], rel=1e-12)
    assert air_quality.ppb_of_micrograms(pollutant, found, *at).tolist() == pytest.approx([40.0])


def test_molar_masses_are_sums_of_atomic_weights() -> None:
    weights = {"h": 1.008, "c": 12.011, "n": 14.007, "o": 15.999, "s": 32.06}
    atoms = {
        "o3": "ooo", "no2": "ono", "no": "no", "so2": "soo", "co": "co", "nh3": "nhhh",
        "h2s": "hhs", "c6h6": "cccccchhhhhh",
    }  # fmt: skip
    assert set(air_quality.MOLAR_MASS) == set(atoms)
    for gas, parts in atoms.items():
        expected = sum(weights[part] for part in parts)
        assert air_quality.molar_mass(gas) == pytest.approx(expected, abs=0.01)
    with pytest.raises(ValueError, match=r"no molar mass of 'O3' \(known: o3, no2"):
        air_quality.molar_mass("O3")


@pytest.mark.parametrize("values", [(0.0, 0.0, 0.0), (20.0, 30.0, 10.0), (90.0, 1.0, 200.0)])
def test_the_health_index_adds_the_risks(values: tuple[float, ...]) -> None:
    factors = (0.000871, 0.000537, 0.000487)
    risks = sum(exp(b * value) - 1 for b, value in zip(factors, values, strict=True))
    found = air_quality.aqhi(*(np.array([value]) for value in values))
    assert found.tolist() == pytest.approx([1000 / 10.4 * risks])


def test_linear_corrections_are_exact() -> None:
    reported, humidity = np.array([0.0, 100.0, 0.0, 50.0]), np.array([0.0, 0.0, 100.0, 20.0])
    found = air_quality.purpleair_pm25(reported, humidity).tolist()
    assert found == pytest.approx([5.72, 58.12, -2.8, 30.216])
    ozone = air_quality.ozone_nowcast_fallback(np.array([0.0, 100.0, NAN])).tolist()
    assert ozone == pytest.approx([4.5, 89.5, NAN], nan_ok=True)


def index(edition: str, pollutant: str, value: float) -> Any:
    return air_quality.air_quality_index(edition, pollutant, np.array([value])).tolist()[0]


@pytest.mark.parametrize("edition", sorted(air_quality.editions()))
def test_every_table_gives_its_own_limits(edition: str) -> None:
    for pollutant, table in air_quality.editions()[edition]["pollutants"].items():
        for unknown in (NAN, INF, -INF):
            assert isnan(index(edition, pollutant, unknown)) or unknown == -INF
        if "upper" in table:
            for band, upper in enumerate(table["upper"], 1):
                found = [index(edition, pollutant, upper + by) for by in (-0.01, 0.0, 0.01)]
                assert found == [band, band, band + 1]
            assert index(edition, pollutant, -1.0) == 1
            continue
        step = table["precision"]
        for (low, high), (first, last) in zip(table["concentration"], table["index"], strict=True):
            assert index(edition, pollutant, low) == first
            assert index(edition, pollutant, high) == last
            # Truncation: almost a step more is still the limit.
            assert index(edition, pollutant, high + 0.99 * step) == last
        lowest, beyond = table["concentration"][0][0], table.get("beyond", "extrapolated")
        if lowest > 0:
            assert isnan(index(edition, pollutant, lowest - step))
        above = index(edition, pollutant, table["concentration"][-1][1] + 100 * step)
        if beyond is None:
            assert isnan(above)
        elif beyond != "extrapolated":
            assert above == beyond
        else:
            assert above > table["index"][-1][1]


def test_unknown_tables_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no edition 'x' of an air .* \(known: us-2024"):
        air_quality.table_of("x", "pm25_24h")
    with pytest.raises(ValueError, match=r"edition 'us-2024' has no 'x' \(known: pm25_24h"):
        air_quality.table_of("us-2024", "x")
