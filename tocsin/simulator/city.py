"""A city's telemetry: readings in order of arrival, with labels of the injected anomalies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import TIMESTAMP, Int64s, timestamps
from tocsin.simulator.anomalies import Anomaly, apply_anomalies, draw, labels
from tocsin.simulator.places import Places, places
from tocsin.simulator.signals import AIR, CLIMATE, Metric, rounded, signal, weather

METRICS: dict[str, tuple[Metric, ...]] = {"air": AIR, "climate": CLIMATE}
"""The metrics of the systems whose sensors measure."""

READINGS = pa.schema(
    [
        pa.field("sensor_id", pa.string()),
        pa.field("metric", pa.string()),
        pa.field("observed_at", TIMESTAMP),
        pa.field("value", pa.float64()),
        pa.field("quality", pa.int32()),
        pa.field("received_at", TIMESTAMP),
    ]
)
"""Columns of readings; `received_at` becomes the Kafka timestamp, not a field of the message."""

_BLOCK = 600_000_000


@dataclass(frozen=True)
class City:
    """The configuration of a simulation.

    Most readings arrive within seconds.

    Attributes:
        system: a name in `tocsin.simulator.systems.SYSTEMS`.
        sensors: their number.
        start, duration, cadence: microseconds.
        anomalies: number of injected anomalies.
        out_of_order: fraction of readings that arrive up to 20 s later.
        late: fraction that arrive 2 to 15 min later.
        duplicated: fraction that arrive twice.
        missing: fraction that never arrive, and fraction without a value.
        seed: of all random numbers.
        metrics: measured quantities; empty for the system's own.
    """

    system: str = "air"
    sensors: int = 100
    start: int = 1_772_409_600_000_000  # 2026-03-02T00:00Z, a Monday
    duration: int = 3_600_000_000
    cadence: int = 10_000_000
    anomalies: int = 9
    out_of_order: float = 0.05
    late: float = 0.002
    duplicated: float = 0.003
    missing: float = 0.002
    seed: int = 7
    metrics: tuple[Metric, ...] = field(default=())

    def measured(self) -> tuple[Metric, ...]:
        """The metrics of the system."""
        return self.metrics or METRICS[self.system]

    def random(self, *stream: int) -> np.random.Generator:
        """A generator for one purpose, so that blocks can be made independently."""
        return np.random.default_rng([self.seed, *stream])

    def places(self) -> Places:
        """The positions of the sensors."""
        return places(self.system, self.sensors, self.random(1))

    def injected(self) -> list[Anomaly]:
        """The injected anomalies."""
        series = self.sensors * len(self.measured())
        return draw(
            self.anomalies,
            series,
            self.start,
            self.start + self.duration,
            self.cadence,
            self.random(2),
        )

    def labels(self) -> pa.Table:
        """sensor_id, metric, kind, start and end of the injected anomalies."""
        return labels(
            self.injected(), self.places().ids, [metric.name for metric in self.measured()]
        )


def readings(city: City) -> Iterator[pa.RecordBatch]:
    """Batches of `READINGS` in order of arrival, one for each ten minutes."""
    everywhere = city.places()
    anomalies = city.injected()
    drift = city.random(3).normal(0, 0.02, city.sensors)
    waiting: pa.RecordBatch | None = None
    end = city.start + city.duration
    for block, first in enumerate(range(city.start, end, _BLOCK)):
        made = _block(city, everywhere, anomalies, drift, block, first, min(first + _BLOCK, end))
        together = made if waiting is None else pa.concat_batches([waiting, made])
        together = together.sort_by("received_at")
        arrived = together.column("received_at").view(pa.int64()).to_numpy() < first + _BLOCK
        split = int(arrived.sum()) if first + _BLOCK < end else together.num_rows
        yield together.slice(0, split)
        waiting = together.slice(split)


def _block(
    city: City,
    everywhere: Places,
    anomalies: list[Anomaly],
    drift: np.ndarray,
    block: int,
    first: int,
    last: int,
) -> pa.RecordBatch:
    random = city.random(4, block)
    metrics = city.measured()
    ticks = np.arange(first, last, city.cadence, dtype=np.int64)
    series = city.sensors * len(metrics)
    # Each sensor sends at its own moment within the cadence.
    phase = city.random(5).integers(0, city.cadence // 1000, city.sensors) * 1000
    times = (ticks[:, None] + phase[None, :]).repeat(len(metrics), axis=1).ravel()
    number = np.tile(np.arange(series), len(ticks))
    sensor, which = number // len(metrics), number % len(metrics)
    values = np.empty(len(times))
    noise = random.standard_normal(len(times))
    levels = np.empty(len(times))
    tick_weather = weather(ticks / 1e6, city.seed).repeat(series)
    for at, metric in enumerate(metrics):
        rows = which == at
        value = signal(
            metric,
            times[rows] / 1e6,
            everywhere.busy[sensor[rows]],
            noise[rows],
            tick_weather[rows],
        )
        days = (times[rows] - city.start) / 86_400e6
        values[rows] = value * (1 + drift[sensor[rows]] * days)
        levels[rows] = metric.level
    keep = apply_anomalies(
        values, times, number, levels, anomalies, _held(city, everywhere, anomalies, drift)
    )
    for at, metric in enumerate(metrics):
        rows = which == at
        values[rows] = rounded(values[rows], metric.resolution)
    return _delivered(
        city, random, everywhere, [m.name for m in metrics], times, sensor, which, values, keep
    )


def _held(
    city: City, everywhere: Places, anomalies: list[Anomaly], drift: np.ndarray
) -> np.ndarray:
    """The value of each anomaly's series at its start, without noise."""
    metrics, found = city.measured(), np.zeros(len(anomalies))
    for at, one in enumerate(anomalies):
        sensor, which = one.series // len(metrics), one.series % len(metrics)
        seconds = np.array([one.start / 1e6])
        value = signal(
            metrics[which],
            seconds,
            everywhere.busy[[sensor]],
            np.zeros(1),
            weather(seconds, city.seed),
        )
        found[at] = value[0] * (1 + drift[sensor] * (one.start - city.start) / 86_400e6)
    return found


def _delivered(
    city: City,
    random: np.random.Generator,
    everywhere: Places,
    metrics: list[str],
    times: Int64s,
    sensor: Int64s,
    which: Int64s,
    values: np.ndarray,
    keep: np.ndarray,
) -> pa.RecordBatch:
    """Readings after the network: some lost, some duplicated, some late."""
    size = len(times)
    luck = random.random(size)
    keep = keep & (luck >= city.missing)
    delay = random.exponential(400_000, size)
    turn = random.random(size)
    delay += np.where(turn < city.out_of_order, random.uniform(0, 20e6, size), 0)
    delay += np.where(turn > 1 - city.late, random.uniform(120e6, 900e6, size), 0)
    rows = np.flatnonzero(keep)
    twice = rows[random.random(len(rows)) < city.duplicated]
    received = times + delay.astype(np.int64)
    again = received[twice] + random.integers(1_000_000, 15_000_000, len(twice))
    rows, received = np.r_[rows, twice], np.r_[received[rows], again]
    order = np.argsort(received, kind="stable")
    rows, received = rows[order], received[order]
    nulls = random.random(size)[rows] < city.missing
    quality = np.where(random.random(size)[rows] < 0.97, 1, 0).astype(np.int32)
    ids, names = pa.array(everywhere.ids), pa.array(metrics)
    return pa.RecordBatch.from_arrays(
        [
            ids.take(pa.array(sensor[rows])),
            names.take(pa.array(which[rows])),
            timestamps(times[rows] // 1000 * 1000),
            pa.array(values[rows], mask=nulls),
            pa.array(quality),
            timestamps(received // 1000 * 1000),
        ],
        schema=READINGS,
    )
