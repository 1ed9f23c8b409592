"""Labels of measured series match the injected anomalies, and no other reading changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tocsin.simulator.anomalies import KINDS, draw
from tocsin.simulator.city import City, readings

MINUTE = 60_000_000
SETTINGS: dict[str, Any] = {
    "sensors": 8,
    "duration": 180 * MINUTE,
    "late": 0.0,
    "out_of_order": 0.0,
    "duplicated": 0.0,
    "missing": 0.0,
}


def values_of(city: City) -> dict[tuple[str, str, Any], float]:
    rows = pa.Table.from_batches(readings(city)).to_pylist()
    return {(row["sensor_id"], row["metric"], row["observed_at"]): row["value"] for row in rows}


@pytest.mark.parametrize("seed", range(4))
def test_readings_differ_from_a_clean_city_exactly_within_the_labels(seed: int) -> None:
    disturbed = City(seed=seed, anomalies=6, **SETTINGS)
    clean, found = values_of(City(seed=seed, anomalies=0, **SETTINGS)), values_of(disturbed)
    labels = {(row["sensor_id"], row["metric"]): row for row in disturbed.labels().to_pylist()}
    assert sorted({row["kind"] for row in labels.values()}) == sorted(KINDS)
    silent, stuck = set(), dict[tuple[str, str], set[float]]()
    for (sensor, metric, at), value in clean.items():
        label = labels.get((sensor, metric))
        if label is None or not label["start"] <= at < label["end"]:
            assert found[sensor, metric, at] == value
        elif label["kind"] == "silent":
            assert (sensor, metric, at) not in found
            silent.add((sensor, metric))
        elif label["kind"] == "spike":
            assert found[sensor, metric, at] > value + 2
        else:
            stuck.setdefault((sensor, metric), set()).add(found[sensor, metric, at])
    assert len(silent) == len(stuck) == 2
    assert all(len(values) == 1 for values in stuck.values())


@pytest.mark.parametrize(("count", "series"), [(0, 5), (3, 5), (9, 5)])
def test_anomalies_are_of_different_series_and_leave_time_to_learn(count: int, series: int) -> None:
    end = 180 * MINUTE
    found = draw(count, series, 0, end, 10_000_000, np.random.default_rng(1))
    assert len(found) == len({one.series for one in found}) == min(count, series)
    assert [one.kind for one in found] == [KINDS[at % 3] for at in range(len(found))]
    assert all(end // 3 - 10_000_000 <= one.start < one.end <= end for one in found)
