"""Roads of a simulated city: two lanes and eight stations on each approach, with labelled faults.

Faults are incidents, bottlenecks and broken detectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import TIMESTAMP, Floats, Int64s, timestamps
from tocsin.simulator.anomalies import label_rows
from tocsin.simulator.city import City
from tocsin.simulator.delivery import by_blocks
from tocsin.simulator.places import DISTRICTS, STREETS
from tocsin.simulator.signals import traffic_rhythm

KINDS = (
    "incident",
    "bottleneck",
    "card_off",
    "high_value",
    "intermittent",
    "constant",
    "insufficient",
)
LANES, STATIONS = 2, 8
READINGS = pa.schema(
    [
        pa.field("detector_id", pa.string()),
        pa.field("observed_at", TIMESTAMP),
        pa.field("interval", pa.int32()),
        pa.field("vehicles", pa.int32()),
        pa.field("occupancy", pa.float64()),
        pa.field("speed", pa.float64()),
    ]
)
_MINUTE, _BLOCK = 60_000_000, 600_000_000
_FREE, _CAPACITY, _LENGTH = 90.0, 1800.0, 0.0067
"""Speed in km/h, vehicles an hour and lane, effective length of a vehicle in km."""


@dataclass(frozen=True)
class _Fault:
    """A fault of a detector, or of the road at its station. start, end: microseconds."""

    kind: str
    detector: int
    start: int
    end: int


class Traffic:
    """The readings of `city.sensors` detectors, with `city.anomalies` faults, kinds in turn."""

    key = "detector_id"

    def __init__(self, city: City) -> None:
        self.city = city
        number = np.arange(city.sensors)
        self.approach = number // (LANES * STATIONS)
        self.station = number // LANES % STATIONS
        self.lane = number % LANES
        self.ids = [
            f"det-{a:03d}-{s}-{lane}"
            for a, s, lane in zip(self.approach, self.station, self.lane, strict=True)
        ]
        self.busy = city.random(1).uniform(0.5, 1.0, int(self.approach.max(initial=0)) + 1)
        self.faults = self._draw_faults()

    def _draw_faults(self) -> list[_Fault]:
        """At most one fault for each approach, at a station between two others."""
        random, city = self.city.random(2), self.city
        approaches = random.permutation(len(self.busy))
        found = []
        for at in range(min(city.anomalies, len(approaches))):
            kind = KINDS[at % len(KINDS)]
            station = int(random.integers(2, STATIONS - 2))
            detector = (int(approaches[at]) * STATIONS + station) * LANES
            if detector + 2 * LANES > city.sensors:
                continue
            moment = (
                city.start + int(city.duration * random.uniform(0.35, 0.7)) // _MINUTE * _MINUTE
            )
            length = {"incident": 25, "bottleneck": 60}.get(kind)
            bounds = (
                (city.start, city.start + city.duration)
                if length is None
                else (moment, moment + length * _MINUTE)
            )
            found.append(_Fault(kind, detector, *bounds))
        return found

    def labels(self) -> pa.Table:
        """sensor_id, metric (empty), kind, start and end of each fault.

        sensor_id is the detector, or the station for faults of the road.
        """
        return label_rows(
            (
                self._station(one.detector) if one.kind in KINDS[:2] else self.ids[one.detector],
                one.kind,
                one.start,
                one.end,
            )
            for one in self.faults
        )

    def _station(self, detector: int) -> str:
        return f"st-{self.approach[detector]:03d}-{self.station[detector]}"

    def registry(self) -> pa.Table:
        """One row for each detector.

        Columns: detector_id, station, downstream (the next station, or null), approach, lane,
        length_km, free_speed (km/h), district, latitude and longitude.
        """
        number = range(self.city.sensors)
        last = (self.station == STATIONS - 1) | (
            np.arange(self.city.sensors) + LANES >= self.city.sensors
        )
        district = self.approach % len(DISTRICTS)
        angle = 2 * np.pi * self.approach / max(len(self.busy), 1)
        away = 0.01 + 0.009 * self.station
        return pa.table(
            {
                "detector_id": self.ids,
                "station": [self._station(one) for one in number],
                "downstream": [
                    None if end else self._station(one + LANES)
                    for one, end in zip(number, last, strict=True)
                ],
                "approach": [f"{STREETS[a % len(STREETS)]} road {a:03d}" for a in self.approach],
                "lane": self.lane,
                "length_km": np.ones(len(number)),
                "free_speed": np.full(len(number), _FREE),
                "district": [DISTRICTS[one] for one in district],
                "latitude": np.round(48.1 + away * np.cos(angle), 5),
                "longitude": np.round(-1.67 + away * np.sin(angle) * 1.5, 5),
            }
        )

    def readings(self) -> Iterator[pa.RecordBatch]:
        """Readings in order of arrival, one batch for each ten minutes of event time."""
        return by_blocks(self.city, _BLOCK, self._block)

    def _block(self, first: int, last: int, random: np.random.Generator) -> pa.RecordBatch:
        ticks = np.arange(first, last, self.city.cadence, dtype=np.int64)
        count = self.city.sensors
        times = np.repeat(ticks, count)
        detector = np.tile(np.arange(count), len(ticks))
        demand = np.clip((traffic_rhythm(ticks / 1e6) + 0.6) / 1.6, 0, 1)
        flow = _CAPACITY * (
            0.08 + 0.75 * np.repeat(demand, count) * self.busy[self.approach[detector]]
        )
        speed = _FREE * (1 - 0.15 * (flow / _CAPACITY) ** 3)
        self._on_the_road(times, detector, flow, speed)
        vehicles = random.poisson(flow * self.city.cadence / 3.6e9)
        speed = np.maximum(speed * (1 + random.normal(0, 0.04, len(times))), 3.0)
        occupancy = (
            vehicles
            * 3.6e9
            / self.city.cadence
            / speed
            * _LENGTH
            * (1 + random.normal(0, 0.03, len(times)))
        )
        occupancy = np.clip(occupancy, 0, 1)
        kept = self._in_the_detector(times, detector, vehicles, occupancy, random)
        columns = [
            pa.array(self.ids).take(pa.array(detector)),
            timestamps(times),
            pa.array(np.full(len(times), self.city.cadence // 1_000_000, np.int32)),
            pa.array(vehicles.astype(np.int32)),
            pa.array(np.round(occupancy, 4)),
            pa.array(np.round(speed, 1), mask=vehicles == 0),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=READINGS).filter(pa.array(kept))

    def _on_the_road(self, times: Int64s, detector: Int64s, flow: Floats, speed: Floats) -> None:
        """Apply incidents and bottlenecks in place: queues upstream, and less flow downstream."""
        for one in self.faults:
            if one.kind not in KINDS[:2]:
                continue
            here = self.approach[detector] == self.approach[one.detector]
            after = self.station[detector] - self.station[one.detector]
            incident = one.kind == "incident"
            through, queue_speed = (650.0, 11.0) if incident else (1250.0, 36.0)
            # The queue grows upstream by a station in some minutes. Downstream flow falls at once.
            for back in range(2):
                begins = one.start + back * (6 if incident else 20) * _MINUTE
                rows = here & (after == -back) & (times >= begins) & (times < one.end)
                flow[rows], speed[rows] = through, queue_speed
            rows = here & (after > 0) & (times >= one.start + _MINUTE) & (times < one.end)
            flow[rows] = np.minimum(flow[rows], through)
            speed[rows] = _FREE * 0.97

    def _in_the_detector(
        self,
        times: Int64s,
        detector: Int64s,
        vehicles: Int64s,
        occupancy: Floats,
        random: np.random.Generator,
    ) -> np.ndarray:
        """Apply broken detectors in place; return which rows are sent."""
        kept = np.ones(len(times), bool)
        for one in self.faults:
            rows = np.flatnonzero(
                (detector == one.detector) & (times >= one.start) & (times < one.end)
            )
            luck = random.random(len(rows))
            if one.kind == "card_off":
                vehicles[rows], occupancy[rows] = 0, 0.0
            elif one.kind == "high_value":
                occupancy[rows[luck < 0.3]] = 0.92
            elif one.kind == "intermittent":
                vehicles[rows[luck < 0.1]] = 0
                occupancy[rows[luck < 0.1]] = 0.05
            elif one.kind == "constant":
                vehicles[rows], occupancy[rows] = 4, 0.12
            elif one.kind == "insufficient":
                kept[rows[luck < 0.55]] = False
        return kept
