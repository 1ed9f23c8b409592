"""Counters, link probes and levels of service against loops and published values."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.aggregation.network_probes import (
    consecutive_variation,
    interarrival_jitter,
    lost_share,
)
from tocsin.kernels.aggregation.time_series import slope
from tocsin.kernels.domains.network import counter_increase
from tocsin.kernels.domains.traffic import level_of_service

KIND = pa.list_(pa.struct([("time", pa.int64()), ("value", pa.float64())]))
groups = st.lists(st.lists(st.integers(0, 40).map(float), max_size=12), min_size=1, max_size=4)


def points(values: list[list[float]]) -> pa.Array:
    return pa.array(
        [[{"time": at * 1_000_000, "value": v} for at, v in enumerate(one)] for one in values], KIND
    )


@given(groups)
def test_loss_and_jitter_equal_a_loop(values: list[list[float]]) -> None:
    lost, smooth, consecutive, straight = [], [], [], []
    for one in values:
        lost.append(1 - len(set(one)) / (max(one) - min(one) + 1) if one else None)
        steps = [abs(b - a) for a, b in pairwise(one)]
        jitter = 0.0
        for step in steps:
            jitter += (step - jitter) / 16
        smooth.append(jitter if steps else None)
        consecutive.append(sum(steps) / len(steps) if steps else None)
        straight.append(float(np.polyfit(np.arange(len(one)), one, 1)[0]) if steps else None)
    given_ = points(values)
    for found, wanted in (
        (lost_share(given_), lost),
        (interarrival_jitter(given_), smooth),
        (consecutive_variation(given_), consecutive),
        (slope(given_), straight),
    ):
        for one, expected in zip(found.to_pylist(), wanted, strict=True):
            assert one is None if expected is None else one == pytest.approx(expected, abs=1e-9)


def test_a_counter_wrap_differs_from_a_restart() -> None:
    now = np.array([150.0, 10.0, 10.0, 150.0, 5.0])
    before = np.array([100.0, 2.0**32 - 20, 2.0**32 - 20, 150.0, 0.0])
    uptime, uptime_before = (
        np.array([60.0, 60.0, 5.0, 60.0, 60.0]),
        np.array([30.0, 30.0, 9000.0, 60.0, 30.0]),
    )
    found = counter_increase(now, before, np.full(5, 32.0), uptime, uptime_before)
    assert found[:3].tolist() == [50.0, 30.0, 10.0]
    assert np.isnan(found[3])
    assert found[4] == 5.0


def test_levels_of_service() -> None:
    # Bounds of the Highway Capacity Manual: 11, 18, 26, 35 and 45 cars per mile and lane.
    miles = np.array([0.0, 11.0, 11.1, 26.0, 35.1, 46.0])
    found = level_of_service(pa.array([*(miles / 1.609344), None]))
    assert found.to_pylist() == ["A", "A", "B", "C", "E", "F", None]
