"""Fibre and 5G links of a simulated city: polled counters and probes, with labelled faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import TIMESTAMP, timestamps
from tocsin.simulator.anomalies import label_rows
from tocsin.simulator.city import City
from tocsin.simulator.delivery import by_blocks
from tocsin.simulator.signals import traffic_rhythm

COUNTERS = pa.schema(
    [
        pa.field("link_id", pa.string()),
        pa.field("observed_at", TIMESTAMP),
        pa.field("uptime", pa.float64()),
        pa.field("counter_bits", pa.int32()),
        pa.field("in_octets", pa.float64()),
        pa.field("out_octets", pa.float64()),
        pa.field("speed", pa.float64()),
    ]
)
PROBES = pa.schema(
    [
        pa.field("link_id", pa.string()),
        pa.field("observed_at", TIMESTAMP),
        pa.field("sequence", pa.int64()),
        pa.field("latency", pa.float64()),
    ]
)
_SECOND, _MINUTE, _BLOCK = 1_000_000, 60_000_000, 3_600_000_000


@dataclass(frozen=True)
class _Fault:
    kind: str
    link: int
    start: int
    end: int


class _Network:
    """The common part of counters and probes."""

    key = "link_id"
    kinds: ClassVar[tuple[str, ...]]
    every: ClassVar[int]

    def __init__(self, city: City) -> None:
        self.city = city
        number = np.arange(city.sensors)
        self.is_fibre = number % 2 == 0
        self.ids = [
            f"{'fibre' if fibre else '5g'}-{at:05d}"
            for at, fibre in zip(number, self.is_fibre, strict=True)
        ]
        self.speed = np.where(self.is_fibre, 1e9, 2e8)
        self.faults = self._draw_faults()

    def _draw_faults(self) -> list[_Fault]:
        """At most one fault for each link, which lasts half an hour."""
        random, city = self.city.random(2, len(self.kinds)), self.city
        links = random.permutation(city.sensors)
        found = []
        for at in range(min(city.anomalies, len(links))):
            moment = (
                city.start + int(city.duration * random.uniform(0.35, 0.7)) // _MINUTE * _MINUTE
            )
            end = min(moment + 30 * _MINUTE, city.start + city.duration)
            found.append(_Fault(self.kinds[at % len(self.kinds)], int(links[at]), moment, end))
        return found

    def labels(self) -> pa.Table:
        """sensor_id (the link), metric (empty), kind, start and end of each fault."""
        return label_rows((self.ids[one.link], one.kind, one.start, one.end) for one in self.faults)

    def registry(self) -> pa.Table:
        """link_id, technology, district, latitude, longitude."""
        places = self.city.places().registry()
        return pa.table(
            {
                "link_id": self.ids,
                "technology": ["fibre" if one else "5g" for one in self.is_fibre],
                **{name: places.column(name) for name in ("district", "latitude", "longitude")},
            }
        )

    def readings(self) -> Iterator[pa.RecordBatch]:
        """Rows in order of arrival, one batch for each hour of event time."""
        return by_blocks(self.city, _BLOCK, self._block)

    def _block(self, first: int, last: int, random: np.random.Generator) -> pa.RecordBatch:
        return self._rows(np.arange(first, last, self.every, dtype=np.int64), random)

    def _rows(self, ticks: np.ndarray, random: np.random.Generator) -> pa.RecordBatch:
        raise NotImplementedError


class Counters(_Network):
    """Polls of the counters of `city.sensors` links, one a minute.

    Some counters wrap, and some agents restart.
    """

    kinds = ("congested", "stale")
    every = _MINUTE

    def __init__(self, city: City) -> None:
        super().__init__(city)
        random = city.random(8)
        self.bits = np.where(random.random(city.sensors) < 0.2, 32, 64)
        # Links with 32-bit counters are slow, so that a counter wraps at most once between polls.
        self.speed = np.where(self.bits == 32, 1e8, self.speed)
        self.load = random.uniform(0.1, 0.5, city.sensors)
        self.octets = random.uniform(0, 1e9, (2, city.sensors))
        self.started = city.start - random.integers(1, 90, city.sensors) * 86_400 * _SECOND
        self.restarts = city.start + (
            city.duration * random.uniform(0.1, 0.9, city.sensors)
        ).astype(np.int64)
        self.restarts[random.random(city.sensors) > 0.05] = 2**61

    def _rows(self, ticks: np.ndarray, random: np.random.Generator) -> pa.RecordBatch:
        count = self.city.sensors
        shape = (len(ticks), count)
        demand = np.clip(0.3 + 0.4 * traffic_rhythm(ticks / 1e6), 0.05, 1)[:, None] * self.load
        share = np.clip(demand * (1 + random.normal(0, 0.1, shape)), 0, 0.9)
        stale = np.zeros(shape, bool)
        for one in self.faults:
            here = (ticks >= one.start) & (ticks < one.end)
            if one.kind == "congested":
                share[here, one.link] = random.uniform(0.95, 0.99, int(here.sum()))
            else:
                stale[here, one.link] = True
        grown = np.stack([share, share * 0.4]) * self.speed / 8 * (self.every / 1e6)
        octets = self.octets[:, None, :] + np.cumsum(grown, axis=1)
        restarted = (ticks[:, None] >= self.restarts) & (
            ticks[:, None] - self.every < self.restarts
        )
        for row, link in zip(*np.nonzero(restarted), strict=True):
            octets[:, row:, link] -= octets[:, row, link][:, None] - grown[:, row, link][:, None]
        self.octets = octets[:, -1].copy()
        since = np.where(
            ticks[:, None] >= self.restarts, self.restarts - 30 * _SECOND, self.started
        )
        uptime = (ticks[:, None] - since) / 1e6
        shown = np.floor(np.where(self.bits == 32, octets % 2.0**32, octets))
        # A stale answer repeats the last counters and uptime.
        for row in range(1, len(ticks)):
            again = stale[row]
            uptime[row, again] = uptime[row - 1, again]
            shown[:, row, again] = shown[:, row - 1, again]
        columns = [
            pa.array(self.ids * len(ticks)),
            timestamps(np.repeat(ticks, count)),
            pa.array(uptime.ravel()),
            pa.array(np.tile(self.bits, len(ticks)).astype(np.int32)),
            pa.array(shown[0].ravel()),
            pa.array(shown[1].ravel()),
            pa.array(np.tile(self.speed, len(ticks))),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=COUNTERS)


class Probes(_Network):
    """Probes over `city.sensors` links, one every ten seconds."""

    kinds = ("lossy", "slow", "jittery", "outage")
    every = 10 * _SECOND

    def _rows(self, ticks: np.ndarray, random: np.random.Generator) -> pa.RecordBatch:
        count = self.city.sensors
        shape = (len(ticks), count)
        base = np.where(self.is_fibre, 2.0, 12.0)
        latency = base + random.gamma(2.0, np.where(self.is_fibre, 0.1, 1.0), shape)
        lost = random.random(shape) < 0.0005
        for one in self.faults:
            here = np.flatnonzero((ticks >= one.start) & (ticks < one.end))
            if one.kind == "lossy":
                lost[here, one.link] = random.random(len(here)) < 0.25
            elif one.kind == "slow":
                latency[here, one.link] += 180
            elif one.kind == "jittery":
                latency[here, one.link] += random.uniform(0, 90, len(here))
            else:
                lost[here, one.link] = True
        sequence = (ticks - self.city.start) // self.every
        columns = [
            pa.array(self.ids * len(ticks)),
            timestamps(np.repeat(ticks, count)),
            pa.array(np.repeat(sequence, count)),
            pa.array(np.round(latency.ravel(), 3)),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PROBES).filter(pa.array(~lost.ravel()))
