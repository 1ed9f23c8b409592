"""The readings that all contenders get: made from a seed, the same on every machine.

Every field except time and value has a fixed width in Avro. So messages are rows of a byte matrix,
and millions of them are made in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Octets = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]

METRICS = ("pm25", "pm10", "temp", "humi")
# Milliseconds: 2026-01-01T00:00Z.
START = 1_767_225_600_000
PIECE = 500_000
# Edge computers, if messages hold many readings.
EDGES = 40
# A sensor that does not exist.
CLOSER = 9_999_999


@dataclass(frozen=True)
class Readings:
    """A city's readings in order of time.

    In each period, every sensor measures every metric once, in a random order. A message of several
    readings comes from one of 40 edge computers, which sends the readings of its own sensors.

    messages: the total number. sensors: with four metrics each. period: milliseconds between two
    readings of a sensor and metric. disorder: the greatest number of milliseconds that readings are
    out of order. each: readings in a message.
    """

    messages: int
    sensors: int = 10_000
    period: int = 10_000
    disorder: int = 2_000
    each: int = 1
    partitions: int = 4
    seed: int = 7

    @property
    def count(self) -> int:
        """The number of readings."""
        return self.messages * self.each

    def columns(
        self, start: int, stop: int
    ) -> tuple[Int64s, Int64s, Int64s, npt.NDArray[np.float64]]:
        """Sensor, metric, time in milliseconds and value of the readings from `start` to `stop`.

        Values are multiples of 1/8, so that their sums are exact and the same in any order.
        """
        series, edge = self.sensors * len(METRICS), None
        at = place = np.arange(start, stop, dtype=np.int64)
        if self.each > 1:
            message, edge = at // self.each, at // self.each % EDGES
            series, place = series // EDGES, message // EDGES * self.each + at % self.each
        cycle, place = place // series, place % series
        # A permutation of the series that differs from cycle to cycle: stride and offset of each.
        strides = np.array(
            [s for s in range(series // 3 | 1, series // 3 + 400, 2) if np.gcd(s, series) == 1],
            np.int64,
        )
        noise = _mixed(at + self.seed)
        one = (
            place * strides[cycle % len(strides)] + _mixed(cycle).astype(np.int64) % series
        ) % series
        times = START + cycle * self.period + place * self.period // series
        times = np.maximum(times - (noise % np.uint64(self.disorder + 1)).astype(np.int64), START)
        values = ((noise >> np.uint64(20)) % np.uint64(800)).astype(np.float64) / 8
        sensors = one // len(METRICS) if edge is None else one // len(METRICS) * EDGES + edge
        return sensors, one % len(METRICS), times, values

    def pieces(self, size: int = PIECE) -> Iterator[tuple[Int64s, list[bytes]]]:
        """Partition and bytes of each message, in blocks."""
        size = max(size // self.each, 1)
        for first in range(0, self.messages, size):
            last = min(first + size, self.messages)
            if self.each == 1:
                sensors, metrics, times, values = self.columns(first, last)
                yield sensors % self.partitions, rows(encoded(sensors, metrics, times, values))
            else:
                block = encoded(*self.columns(first * self.each, last * self.each)).reshape(
                    last - first, -1
                )
                edges = np.arange(first, last) % EDGES
                yield edges % self.partitions, rows(_framed(edges, block, self.each))

    def closing(self) -> tuple[Int64s, list[bytes]]:
        """A reading for each partition, two hours later, from a new sensor: closes all windows."""
        last = int(self.columns(self.count - 1, self.count)[2][0]) + 2 * 3_600_000
        numbers = np.arange(self.partitions)
        size = len(numbers) * self.each
        block = encoded(
            np.full(size, CLOSER), np.zeros(size, np.int64), np.full(size, last), np.zeros(size)
        )
        if self.each > 1:
            block = _framed(numbers, block.reshape(len(numbers), -1), self.each)
        return numbers, rows(block)


def encoded(
    sensors: Int64s, metrics: Int64s, times: Int64s, values: npt.NDArray[np.float64]
) -> Octets:
    """Avro bytes of each reading, one row each (benchmarks/reading.avsc)."""
    names = _digits(b"urn:city:sensor:", sensors, 7)
    kinds = np.frombuffer("".join(METRICS).encode(), np.uint8).reshape(-1, 4)[metrics]
    body = values.astype("<f8").view(np.uint8).reshape(-1, 8)
    size = np.full((len(sensors), 1), 2, np.uint8)
    return np.hstack([size * names.shape[1], names, size * 4, kinds, _long(times), body])


def _digits(head: bytes, numbers: Int64s, width: int) -> Octets:
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    digits = (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    return np.hstack(
        [np.broadcast_to(np.frombuffer(head, np.uint8), (len(numbers), len(head))), digits]
    )


def _long(values: Int64s) -> Octets:
    """Variable-length integers of one length: that of this century's times."""
    zigzag = values.astype(np.uint64) << np.uint64(1)
    groups = [(zigzag >> np.uint64(7 * i)) & np.uint64(127) for i in range(6)]
    parts = [
        (group | np.uint64(128 if i < 5 else 0)).astype(np.uint8) for i, group in enumerate(groups)
    ]
    return np.stack(parts, axis=1)


def _framed(edges: Int64s, block: Octets, each: int) -> Octets:
    names = _digits(b"edge", edges, 3)
    count = each << 1
    varint = [count & 127 | 128, count >> 7] if count > 127 else [count]
    head = np.broadcast_to(np.array(varint, np.uint8), (len(edges), len(varint)))
    size, end = (
        np.full((len(edges), 1), 2 * names.shape[1], np.uint8),
        np.zeros((len(edges), 1), np.uint8),
    )
    return np.hstack([size, names, head, block, end])


def rows(matrix: Octets) -> list[bytes]:
    """The bytes of each row."""
    width, data = matrix.shape[1], matrix.tobytes()
    return [data[at : at + width] for at in range(0, len(data), width)]


def _mixed(values: Any) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64.

    Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014.
    """
    z = np.asarray(values).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def answer(readings: Readings, every: int = 60_000) -> dict[str, npt.NDArray[Any]]:
    """The right answer, without any contender: count, sum, min, max of each window and series."""
    sensors, metrics, times, values = readings.columns(0, readings.count)
    width = readings.sensors * len(METRICS)
    groups = (times - START) // every * width + sensors * len(METRICS) + metrics
    order = np.argsort(groups, kind="stable")
    found, starts = np.unique(groups[order], return_index=True)
    ordered = values[order]
    return {
        "window": START + found // width * every,
        "series": found % width,
        "readings": np.diff(np.r_[starts, len(order)]),
        "total": np.add.reduceat(ordered, starts),
        "least": np.minimum.reduceat(ordered, starts),
        "most": np.maximum.reduceat(ordered, starts),
    }
