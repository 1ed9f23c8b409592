"""Formulas against published values, tables and inverses, also as functions of expressions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.domains import air_quality, climate
from tocsin.kernels.expressions.evaluate import evaluate
from tocsin.kernels.expressions.syntax import ExpressionError, parse
from tocsin.kernels.expressions.typing import type_of


def celsius(fahrenheit: float) -> float:
    return (fahrenheit - 32) * 5 / 9


@pytest.mark.parametrize(
    ("t", "r", "expected"), [(90, 70, 105.92), (86, 90, 105.39), (100, 10, 94.12), (70, 50, 69.53)]
)
def test_heat_index_of_the_weather_service(t: float, r: float, expected: float) -> None:
    found = climate.heat_index(np.array([celsius(t)]), np.array([r]))[0]
    assert found * 9 / 5 + 32 == pytest.approx(expected, abs=0.005)


def test_dew_point_humidity_humidex_and_wind_chill() -> None:
    assert climate.dew_point(np.array([25.0]), np.array([100.0]))[0] == pytest.approx(25.0)
    assert climate.dew_point(np.array([25.0]), np.array([60.0]))[0] == pytest.approx(16.7, abs=0.05)
    assert np.isnan(climate.dew_point(np.array([25.0]), np.array([0.0]))[0])
    assert climate.dew_point(np.array([25.0]), np.array([104.0]))[0] == pytest.approx(25.0)
    pressure = climate.vapour_pressure(np.array([20.0]), np.array([50.0]))
    assert climate.relative_humidity(np.array([20.0]), pressure)[0] == pytest.approx(50.0)
    # Environment Canada: 30 °C with a dew point of 15 °C is a humidex of 34.
    assert climate.humidex(np.array([30.0]), np.array([40.2]))[0] == pytest.approx(34, abs=0.5)
    # Environment Canada: -10 °C with 20 km/h feels like -18.
    assert climate.wind_chill(np.array([-10.0]), np.array([20.0]))[0] == pytest.approx(-18, abs=0.5)
    assert climate.wind_chill(np.array([12.0, -5.0]), np.array([30.0, 3.0])).tolist() == [
        12.0,
        -5.0,
    ]


HOURS = [34.9, 43, 50, 64.9, 69.2, 66.2, 53.7, 48.6, 49.2, 35, np.nan, 21]


def test_nowcast_and_its_air_quality_index() -> None:
    newest_first = np.array(HOURS[::-1])
    value = air_quality.nowcast(newest_first)[0]
    assert value == pytest.approx(28.409801, abs=1e-6)
    assert air_quality.air_quality_index("us-2024", "pm25_24h", np.array([value]))[0] == 87
    too_few = newest_first.copy()
    too_few[0] = np.nan
    assert np.isnan(air_quality.nowcast(too_few)[0])
    assert air_quality.nowcast(np.zeros(12))[0] == 0


@pytest.mark.parametrize(
    ("pollutant", "value", "expected"),
    [
        ("pm25_24h", 9.0, 50),
        ("pm25_24h", 9.09, 50),
        ("pm25_24h", 9.1, 51),
        ("pm25_24h", 35.4, 100),
        ("pm25_24h", 35.5, 101),
        ("pm25_24h", 225.4, 300),
        ("pm25_24h", 325.4, 500),
        ("pm25_24h", 350.0, 549),
        ("pm25_24h", 0.0, 0),
        ("pm25_24h", -2.0, 0),
        ("pm10_24h", 154.9, 100),
        ("pm10_24h", 155.0, 101),
        ("o3_8h", 0.0709, 100),
        ("o3_8h", 0.071, 101),
        ("co_8h", 9.45, 100),
        ("no2_1h", 100.9, 100),
        ("so2_1h", 304.0, 200),
        ("so2_1h", 400.0, 200),
        ("o3_8h", 0.3, None),
        ("o3_1h", 0.1, None),
        ("o3_1h", 0.125, 101),
        ("so2_24h", 100.0, None),
        ("pm25_24h", None, None),
    ],
)
def test_the_us_index_truncates_interpolates_and_rounds(
    pollutant: str, value: float | None, expected: float | None
) -> None:
    found = air_quality.air_quality_index(
        "us-2024", pollutant, np.array([np.nan if value is None else value])
    )[0]
    assert np.isnan(found) if expected is None else found == expected


@given(st.floats(0, 400), st.sampled_from(["pm25_24h", "pm10_24h", "no2_1h"]))
def test_the_us_index_equals_a_loop_over_the_table(value: float, pollutant: str) -> None:
    table = air_quality.table_of("us-2024", pollutant)
    precision = table["precision"]
    c = int(value / precision + 1e-6) * precision
    expected = None
    for (low, high), (first, last) in zip(table["concentration"], table["index"], strict=True):
        if c >= low - precision / 2:
            expected = int((last - first) / (high - low) * (c - low) + first + 0.5)
    assert air_quality.air_quality_index("us-2024", pollutant, np.array([value]))[0] == expected


def test_the_european_index_classifies() -> None:
    for edition, pollutant, edges in (
        ("eu-2024", "pm25_1h", [5, 15, 50, 90, 140]),
        ("eu-2019", "o3_1h", [50, 100, 130, 240, 380]),
        ("eu-2019", "pm25_24h", [10, 20, 25, 50, 75]),
        ("eu-2019", "pm10_24h", [20, 40, 50, 100, 150]),
        ("eu-2019", "no2_1h", [40, 90, 120, 230, 340]),
        ("eu-2019", "so2_1h", [100, 200, 350, 500, 750]),
    ):
        at = np.array([0.0, *(e for edge in edges for e in (edge, edge + 0.1))])
        assert air_quality.air_quality_index(edition, pollutant, at).tolist() == [
            1,
            1,
            2,
            2,
            3,
            3,
            4,
            4,
            5,
            5,
            6,
        ]


def test_every_edition_has_a_source_and_increases() -> None:
    for edition, found in air_quality.editions().items():
        assert found["source"], edition
        assert found["date"], edition
        for name, table in found["pollutants"].items():
            assert table["unit"] in ("ug/m3", "ppm", "ppb"), name
            ends = table.get("upper") or [
                end for segment in table["concentration"] for end in segment
            ]
            assert ends == sorted(ends), (edition, name)
            for before, after in zip(
                table.get("concentration", []), table.get("concentration", [])[1:], strict=False
            ):
                assert after[0] - before[1] == pytest.approx(table["precision"])


def test_units_and_corrections() -> None:
    # 1 ppb of NO2 is 1.88 ug/m3 at 25 °C, 1.91 at 20 °C; of ozone 1.96 and 2.00.
    for pollutant, temperature, expected in (
        ("no2", 25.0, 1.88),
        ("no2", 20.0, 1.91),
        ("o3", 25.0, 1.96),
        ("o3", 20.0, 2.0),
    ):
        found = air_quality.micrograms_of_ppb(
            pollutant, np.array([1.0]), np.array([temperature]), np.array([1013.25])
        )
        assert found[0] == pytest.approx(expected, abs=0.005)
    assert air_quality.purpleair_pm25(np.array([40.0]), np.array([50.0]))[0] == pytest.approx(22.42)
    agree = air_quality.channels_agree(
        np.array([10.0, 10.0, 100.0, 0.0]), np.array([14.0, 30.0, 106.0, 0.0])
    )
    assert agree.tolist() == [True, False, True, True]
    assert air_quality.aqhi(np.array([20.0]), np.array([30.0]), np.array([10.0]))[
        0
    ] == pytest.approx(3.72, abs=0.01)
    assert air_quality.ozone_nowcast_fallback(np.array([50.0]))[0] == pytest.approx(47.0)


BATCH = pa.RecordBatch.from_pydict(
    {"t": [30.0, None], "r": [50, 50], "pm": [35.5, float("nan")], "kind": ["no2", "o3"]}
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dew_point(t, r)", [18.44, None]),
        ("heat_index(t, 50)", [31.05, None]),
        ("air_quality_index('us-2024', 'pm25_24h', pm)", [101.0, None]),
        ("micrograms_of_ppb('no2', 10, t, 1013.25)", [18.49, None]),
    ],
)
def test_formulas_are_functions_of_expressions(text: str, expected: list[Any]) -> None:
    tree = parse(text)
    found = evaluate(tree, BATCH)
    assert found.type == type_of(tree, BATCH.schema) == pa.float64()
    for one, wanted in zip(found.to_pylist(), expected, strict=True):
        assert one is None if wanted is None else one == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "air_quality_index('us-2012', 'pm25_24h', pm)",
            "no edition 'us-2012' of an air quality index .known: us-2024",
        ),
        (
            "air_quality_index('us-2024', 'pm25', pm)",
            "edition 'us-2024' has no 'pm25' .known: pm25_24h",
        ),
        ("air_quality_index(kind, 'pm25_24h', pm)", "words that are written out"),
        ("micrograms_of_ppb('gold', pm, t, 1013)", "no molar mass of 'gold'"),
        ("dew_point(t)", "takes 2 arguments"),
    ],
)
def test_a_wrong_formula_is_reported_with_its_position(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=why):
        type_of(parse(text), BATCH.schema)


def test_nowcast_over_a_window_uses_its_hourly_means() -> None:
    from tocsin.kernels.aggregation.accumulators import ACCUMULATORS
    from tocsin.kernels.aggregation.sums_by_time import hourly_means
    from tocsin.kernels.batch import timestamps
    from tocsin.parts.registry import find

    end, hour = 1_772_452_800_000_000, 3_600_000_000
    # The oldest hour has two readings around its mean. The newest ends with the window.
    rows = [(end - 12 * hour, 30.9), (end - 12 * hour + 5, 38.9)]
    rows += [
        (end - (12 - at) * hour + hour - 1, value)
        for at, value in enumerate(HOURS)
        if at and not np.isnan(value)
    ]
    times, values = (np.array(one) for one in zip(*rows, strict=True))
    folded = ACCUMULATORS["sums_by_time"].fold(
        pa.array(values), times, np.zeros(len(rows), np.int64), 2
    )
    ends = timestamps(np.array([end, end]))
    means = hourly_means(folded[0], ends, 12)
    np.testing.assert_allclose(means[0], HOURS[::-1])
    assert np.isnan(means[1]).all()
    found = find("aggregations", "nowcast")().finish(folded[0], ends)
    assert found.to_pylist() == [pytest.approx(28.409801, abs=1e-6), None]
