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
    """A system of a city: what it sends, what is wrong with it, and who sends it."""

    key: str

    def readings(self) -> Iterator[pa.RecordBatch]:
        """Batches in the order of arrival, with `received_at`."""

    def labels(self) -> pa.Table:
        """sensor_id, metric, kind, start and end of what was injected."""

    def registry(self) -> pa.Table:
        """Who there is, and where."""


class Measuring:
    """Sensors that measure: one reading a metric and cadence."""

    key = "sensor_id"

    def __init__(self, city: City) -> None:
        self.city = city

    def readings(self) -> Iterator[pa.RecordBatch]:
        """Ten minutes of event time in a batch."""
        return readings(self.city)

    def labels(self) -> pa.Table:
        """The anomalies."""
        return self.city.labels()

    def registry(self) -> pa.Table:
        """The sensors."""
        return self.city.places().registry()


@dataclass(frozen=True)
class Known:
    """A system by name. schema: the file of its Avro schema; settings: of the City, where they are not the usual ones."""

    make: Callable[[City], System]
    schema: str
    settings: dict[str, Any]


# Devices that report events keep them until they are acknowledged: little is late, and nothing is lost.
_EVENTS = {"late": 0.0002, "missing": 0.0}
SYSTEMS: dict[str, Known] = {
    "air": Known(Measuring, "air_reading.avsc", {}),
    "climate": Known(Measuring, "climate_reading.avsc", {}),
    "traffic": Known(Traffic, "traffic_reading.avsc", {}),
    "cameras": Known(Cameras, "camera_status.avsc", _EVENTS),
    "links": Known(Counters, "link_counters.avsc", {"late": 0.0002}),
    "probes": Known(Probes, "link_probe.avsc", {"late": 0.0002, "missing": 0.0}),
    "locks": Known(Locks, "lock_event.avsc", _EVENTS),
}


def system_of(city: City) -> System:
    """The system that a city is about."""
    return SYSTEMS[city.system].make(city)
