"""Every system is reproducible from its seed, and its labels and registry describe its readings."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tocsin.kernels.batch import micros
from tocsin.simulator.anomalies import LABELS
from tocsin.simulator.city import City
from tocsin.simulator.systems import SYSTEMS, system_of

HOUR = 3_600_000_000


def city(name: str, seed: int = 3, **changes: float) -> City:
    settings = {"sensors": 64, "duration": 2 * HOUR, "anomalies": 7, **changes}
    return City(name, seed=seed, **settings)  # type: ignore[arg-type]


def readings_of(one: City) -> pa.Table:
    return pa.Table.from_batches(system_of(one).readings())


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_seed_gives_the_same_readings_labels_and_registry(name: str) -> None:
    one, same, other = (city(name, seed) for seed in (3, 3, 4))
    assert readings_of(one).equals(readings_of(same))
    assert system_of(one).labels().equals(system_of(same).labels())
    assert system_of(one).registry().equals(system_of(same).registry())
    assert not readings_of(one).equals(readings_of(other))


@pytest.mark.parametrize("name", SYSTEMS)
def test_readings_arrive_in_order_and_after_their_event_time(name: str) -> None:
    found = readings_of(city(name))
    received = micros(found.column("received_at").combine_chunks())
    observed = micros(found.column("observed_at").combine_chunks())
    assert (received[1:] >= received[:-1]).all()
    assert (received >= observed).all()


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_registry_has_each_sensor_once(name: str) -> None:
    one = city(name)
    system = system_of(one)
    ids = system.registry().column(system.key)
    assert pc.count_distinct(ids).as_py() == one.sensors
    senders = readings_of(one).column(system.key)
    assert pc.all(pc.is_in(senders, value_set=ids.combine_chunks())).as_py()


@pytest.mark.parametrize("name", SYSTEMS)
def test_labels_lie_within_the_simulation(name: str) -> None:
    one = city(name)
    labels = system_of(one).labels()
    assert labels.schema.equals(LABELS)
    assert labels.num_rows > 0
    starts = micros(labels.column("start").combine_chunks())
    ends = micros(labels.column("end").combine_chunks())
    assert (starts >= one.start).all()
    assert (starts < ends).all()
    assert (starts < one.start + one.duration).all()


@pytest.mark.parametrize("name", SYSTEMS)
def test_without_anomalies_there_are_no_labels(name: str) -> None:
    assert system_of(city(name, anomalies=0)).labels().num_rows == 0
