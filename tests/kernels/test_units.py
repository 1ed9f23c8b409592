"""Unit conversion against published values, and the errors that a check reports for mismatches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.batch import readings_schema, with_traits
from tocsin.kernels.domains import air_quality
from tocsin.kernels.expressions.measured import Quantity, quantity_of
from tocsin.kernels.expressions.syntax import ExpressionError, parse
from tocsin.kernels.units import convert, units

HOUR = 3_600_000_000
SCHEMA = with_traits(
    readings_schema(
        [pa.field(name, pa.float64()) for name in ("t", "f", "rh", "v", "pm", "no2", "p")],
        topic="t",
        allowed_lateness=0,
    ),
    units={
        "t": "Cel",
        "f": "[degF]",
        "rh": "%",
        "v": "m/s",
        "pm": "ug/m3",
        "no2": "[ppb]",
        "p": "hPa",
    },
    periods={"pm": HOUR},
)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (100.0, "Cel", "[degF]", 212.0),
        (-40.0, "[degF]", "Cel", -40.0),
        (0.0, "Cel", "K", 273.15),
        (36.0, "km/h", "m/s", 10.0),
        (1.0, "[kn_i]", "km/h", 1.852),
        (60.0, "[mi_i]/h", "km/h", 96.56064),
        (760.0, "mm[Hg]", "hPa", 1013.2472),
        (0.05, "mg/m3", "ug/m3", 50.0),
        (1.0, "%", "1", 0.01),
        (1.0, "[ft_i]", "mm", 304.8),
        (2.0, "Gbit/s", "Mbit/s", 2000.0),
        (180.0, "deg", "rad", np.pi),
    ],
)
def test_conversions(value: float, source: str, target: str, expected: float) -> None:
    assert convert(np.array([value]), source, target)[0] == pytest.approx(expected, rel=1e-9)


@given(st.floats(-1e6, 1e6), st.sampled_from(sorted(units())), st.sampled_from(sorted(units())))
def test_a_conversion_has_an_inverse(value: float, source: str, target: str) -> None:
    if units()[source][0] != units()[target][0]:
        with pytest.raises(ValueError, match=" is a "):
            convert(np.array([value]), source, target)
        return
    there = convert(np.array([value]), source, target)
    assert convert(there, target, source)[0] == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(st.floats(0, 1e4), st.floats(-30, 45), st.floats(800, 1080))
def test_ppb_of_micrograms_inverts_micrograms_of_ppb(value: float, t: float, p: float) -> None:
    there = air_quality.micrograms_of_ppb("no2", np.array([value]), np.array([t]), np.array([p]))
    assert air_quality.ppb_of_micrograms("no2", there, np.array([t]), np.array([p]))[
        0
    ] == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("t", Quantity("Cel")),
        ("pm * 2", Quantity()),
        ("least(pm, pm)", Quantity("ug/m3", HOUR)),
        ("heat_index(convert(f, '[degF]', 'Cel'), rh)", Quantity("Cel")),
        ("micrograms_of_ppb('no2', no2, t, p)", Quantity("ug/m3")),
        ("if(t > 0, pm, null)", Quantity("ug/m3", HOUR)),
        ("unit(pm * 2, 'ug/m3')", Quantity("ug/m3")),
        ("t > 20", Quantity()),
    ],
)
def test_an_expression_has_a_unit_and_a_period(text: str, quantity: Quantity) -> None:
    assert quantity_of(parse(text), SCHEMA) == quantity


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "heat_index(f, rh)",
            r"'heat_index' takes Cel, and f is in \[degF\]; write convert\(f, '\[degF\]', 'Cel'\)",
        ),
        ("wind_chill(t, v)", "takes km/h, and v is in m/s; write convert"),
        ("dew_point(t, p)", "'dew_point' takes %, and p is in hPa"),
        (
            "air_quality_index('us-2024', 'pm25_24h', pm)",
            "takes a mean of 24 h, and pm is one of 1 h",
        ),
        ("air_quality_index('eu-2024', 'no2_1h', no2)", r"takes ug/m3, and no2 is in \[ppb\]"),
        ("t + f", r"'\+' of Cel and \[degF\]"),
        ("if(t > 0, t, f)", r"'if' of Cel and \[degF\]"),
        ("t > f", r"'>' of Cel and \[degF\]"),
        ("unit(t, 'K')", "t is in Cel, not in K"),
        ("convert(t, '[degF]', 'K')", r"t is in Cel, not in \[degF\]"),
    ],
)
def test_a_unit_mismatch_is_reported(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=why):
        quantity_of(parse(text), SCHEMA)
