"""The right output, computed from the topic alone, per record, without code of Tocsin."""

from __future__ import annotations

import io
import struct
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import confluent_kafka
import fastavro

from tests.faults.traffic import SCHEMAS, WINDOW

OUT_OF_ORDERNESS, LATENESS = 1_000_000, 2_000_000
NEVER = -(2**62)
# Messages of a partition before it has a watermark.
FIRST = 8
# Clients that are tried one after another.
ATTEMPTS = 3


@dataclass
class Oracle:
    """Follows a topic. All times in microseconds; `Where` is (partition, offset)."""

    brokers: str
    topic: str
    kept: dict[tuple[int, int], int] = field(default_factory=dict)
    late: dict[tuple[int, int], int] = field(default_factory=dict)
    rejected: dict[tuple[int, int], int] = field(default_factory=dict)
    duplicates: set[tuple[int, int]] = field(default_factory=set)
    # Values by (sensor, window start), with whether each was on time.
    windows: dict[tuple[str, int], list[tuple[float, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    watermarks: dict[int, int] = field(default_factory=dict)
    heard: Counter[int] = field(default_factory=Counter)
    positions: dict[int, int] = field(default_factory=dict)
    _seen: set[tuple[str, int]] = field(default_factory=set)
    _consumer: Any = None

    def follow(self) -> None:
        """Read the new messages. A client that a fault has left without a broker is replaced."""
        for attempt in range(ATTEMPTS):
            try:
                self._read()
            except confluent_kafka.KafkaException:
                if attempt == ATTEMPTS - 1:
                    raise
                self._consumer = None
            else:
                return

    def _read(self) -> None:
        settings = {
            "bootstrap.servers": self.brokers,
            "group.id": "oracle",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
        if self._consumer is None:
            self._consumer = confluent_kafka.Consumer({**settings, "enable.auto.commit": False})
        partitions = (
            self._consumer.list_topics(self.topic, timeout=30).topics[self.topic].partitions
        )
        for partition in partitions:
            place = confluent_kafka.TopicPartition(
                self.topic, partition, self.positions.get(partition, 0)
            )
            _, end = self._consumer.get_watermark_offsets(place, timeout=30)
            self._consumer.assign([place])
            while self.positions.get(partition, 0) < end:
                for message in self._consumer.consume(5000, timeout=1):
                    if message.error() is None:
                        self._take(message)
                        self.positions[partition] = message.offset() + 1

    def _take(self, message: Any) -> None:
        where = (message.partition(), message.offset())
        mark = self.watermarks.get(where[0], NEVER)
        reading = self._decoded(message.value())
        if reading is None:
            self.rejected[where] = mark
            return
        sensor, at, value = reading
        # A reading advances the watermark before its lateness is decided.
        known = self.watermarks[where[0]] = max(mark, at - OUT_OF_ORDERNESS)
        self.heard[where[0]] += 1
        mark = known if self.heard[where[0]] > FIRST else NEVER
        if abs(value) > 1000:
            self.rejected[where] = mark
        elif at + LATENESS <= mark:
            self.late[where] = mark
        elif (sensor, at) in self._seen:
            self.duplicates.add(where)
        else:
            self._seen.add((sensor, at))
            start = at // WINDOW * WINDOW
            self.kept[where] = at
            self.windows[sensor, start].append((value, start + WINDOW > mark))

    @staticmethod
    def _decoded(value: bytes | None) -> tuple[str, int, float] | None:
        if not value or len(value) < 5 or value[0] != 0:
            return None
        number = struct.unpack(">I", value[1:5])[0]
        if number not in SCHEMAS:
            return None
        stream = io.BytesIO(value[5:])
        try:
            reading: Any = fastavro.schemaless_reader(stream, SCHEMAS[number], None)
        except (EOFError, ValueError, IndexError, UnicodeDecodeError):
            return None
        at = reading["at"]
        return reading["sensor"], round(at.timestamp() * 1e6), reading["value"]

    @property
    def messages(self) -> int:
        """The number of messages read."""
        return sum(self.positions.values())

    def results(self, until: int) -> dict[tuple[str, int, int], tuple[int, float, float, float]]:
        """Rows of the windows dataset, by (sensor, start, revision), that are due by `until`."""
        found = {}
        for (sensor, start), values in self.windows.items():
            if start + WINDOW <= until:
                on_time = [value for value, in_time in values if in_time]
                if on_time:
                    found[sensor, start, 0] = _measures(on_time)
            if start + WINDOW + LATENESS <= until and any(not in_time for _, in_time in values):
                found[sensor, start, 1] = _measures([value for value, _ in values])
        return found

    def alarms(self, until: int) -> list[tuple[str, str, int]]:
        """Events (sensor, event, time) of the threshold rule up to `until`, by sensor and time."""
        found, is_open = [], {}
        results = self.results(until)
        for sensor, start, revision in sorted(results):
            if revision:
                continue
            high = results[sensor, start, 0][1] >= 50
            if high != is_open.get(sensor, False):
                is_open[sensor] = high
                found.append((sensor, "raise" if high else "clear", start + WINDOW))
        return found


def _measures(values: list[float]) -> tuple[int, float, float, float]:
    return len(values), sum(values) / len(values), min(values), max(values)
