"""The systems of the simulated city, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from tocsin.simulator.cameras import Cameras
from tocsin.simulator.city import City, readings
from tocsin.simulator.links import Counters, Probes
from tocsin.simulator.locks import Locks
from tocsin.simulator.traffic import Traffic


class System(Protocol):
    """A system of a city: its readings, the labels of its anomalies, and its registry."""

    key: str

    def readings(self) -> Iterator[pa.RecordBatch]:
        """Batches in the order of arrival, with `received_at`."""

    def labels(self) -> pa.Table:
        """sensor_id, metric, kind, start and end of the injected anomalies."""

    def registry(self) -> pa.Table:
        """One row for each sensor, with its place."""


class MeasuringSensors:
    """Sensors that send one reading of each metric in each cadence."""

    key = "sensor_id"

    def __init__(self, city: City) -> None:
        self.city = city

    def readings(self) -> Iterator[pa.RecordBatch]:
        """Batches in order of arrival, one for each ten minutes."""
        return readings(self.city)

    def labels(self) -> pa.Table:
        """sensor_id, metric, kind, start and end of the injected anomalies."""
        return self.city.labels()

    def registry(self) -> pa.Table:
        """sensor_id, district, street, latitude and longitude."""
        return self.city.places().registry()


@dataclass(frozen=True)
class SystemDefinition:
    """How to simulate a system.

    schema: the file of its Avro schema. settings: fields of `City` that differ from the defaults.
    """

    make: Callable[[City], System]
    schema: str
    settings: dict[str, Any]


# Devices that report events keep them until they are acknowledged: few are late, none is lost.
_EVENTS = {"late": 0.0002, "missing": 0.0}
SYSTEMS: dict[str, SystemDefinition] = {
    "air": SystemDefinition(MeasuringSensors, "air_reading.avsc", {}),
    "climate": SystemDefinition(MeasuringSensors, "climate_reading.avsc", {}),
    "traffic": SystemDefinition(Traffic, "traffic_reading.avsc", {}),
    "cameras": SystemDefinition(Cameras, "camera_status.avsc", _EVENTS),
    "links": SystemDefinition(Counters, "link_counters.avsc", {"late": 0.0002}),
    "probes": SystemDefinition(Probes, "link_probe.avsc", {"late": 0.0002, "missing": 0.0}),
    "locks": SystemDefinition(Locks, "lock_event.avsc", _EVENTS),
}


def system_of(city: City) -> System:
    """The system of a city. Raises KeyError for an unknown name."""
    return SYSTEMS[city.system].make(city)
