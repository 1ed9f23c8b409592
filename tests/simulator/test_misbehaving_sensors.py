"""Each misbehaving sensor does what its kind says, and the clean ones do nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tocsin.kernels.batch import micros
from tocsin.simulator.misbehaving_sensors import (
    CLEAN,
    DAY,
    FAULT,
    MINUTE,
    MISBEHAVIOURS,
    START,
    day,
)


@pytest.fixture(scope="module")
def readings() -> pa.RecordBatch:
    return day()


def values(batch: pa.RecordBatch, sensor: str) -> np.ndarray:
    mine = batch.filter(pc.equal(batch.column("sensor_id"), sensor))
    return mine.column("value").to_numpy()


def test_a_seed_gives_the_same_day(readings: pa.RecordBatch) -> None:
    assert day().equals(readings)
    assert not day(1).equals(readings)
    assert pc.count_distinct(readings.column("sensor_id")).as_py() == CLEAN + len(MISBEHAVIOURS)


def test_clean_sensors_send_plausible_values_each_minute(readings: pa.RecordBatch) -> None:
    for number in range(CLEAN):
        found = values(readings, f"clean-{number:02d}")
        assert len(found) == DAY
        assert np.abs(np.diff(found)).max() < 3


def test_values_change_from_the_fault_on(readings: pa.RecordBatch) -> None:
    stuck = values(readings, "sticks")
    assert len(set(stuck[FAULT : FAULT + 120])) == 1
    assert len(set(stuck[:FAULT])) > 50
    jumps = values(readings, "jumps")
    assert jumps[FAULT:].mean() - jumps[:FAULT].mean() == pytest.approx(4, abs=1)
    imperial = values(readings, "imperial")
    assert imperial[FAULT:].mean() > imperial[:FAULT].mean() + 30
    assert len(values(readings, "repeats")) == 3 * DAY
    assert len(values(readings, "shared")) == DAY + DAY - FAULT


def test_clocks_fail_in_both_directions(readings: pa.RecordBatch) -> None:
    observed = micros(readings.column("observed_at"))
    sensors = np.array(readings.column("sensor_id").to_pylist())
    early, late = observed < START, observed >= START + DAY * MINUTE + MINUTE
    assert (set(sensors[early]), int(early.sum())) == ({"reboots"}, 30)
    assert (set(sensors[late]), int(late.sum())) == ({"foresees"}, 20)


def test_an_outage_loses_its_minutes_and_a_held_up_network_loses_none(
    readings: pa.RecordBatch,
) -> None:
    lost = day(lost=(100, 160))
    arrived = micros(lost.column("received_at"))
    assert not ((arrived >= START + 100 * MINUTE) & (arrived < START + 160 * MINUTE)).any()
    assert 0 < lost.num_rows < readings.num_rows
    held = day(held_up=(840, 1200))
    assert held.num_rows == readings.num_rows
    arrived = micros(held.column("received_at"))
    assert (np.diff(arrived) >= 0).all()
    assert not ((arrived >= START + 840 * MINUTE) & (arrived < START + 1199 * MINUTE)).any()
