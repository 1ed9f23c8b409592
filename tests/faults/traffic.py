"""Readings in real time: late ones, duplicates, spikes; on request invalid ones, a new schema."""

from __future__ import annotations

import io
import json
import random
import struct
import threading
import time
import zlib
from collections import deque
from pathlib import Path
from typing import Any

import confluent_kafka
import fastavro

HERE = Path(__file__).parent
SCHEMAS = {
    number: fastavro.parse_schema(json.loads((HERE / f"reading_v{number}.avsc").read_text()))
    for number in (1, 2)
}
WINDOW = 2_000_000


def is_spike(sensor: str, moment: int) -> bool:
    """Whether a sensor reads high in the window of a moment (microseconds)."""
    return zlib.crc32(f"{sensor}:{moment // WINDOW}".encode()) % 29 == 0


class Traffic(threading.Thread):
    """Sends until `end`. A sensor stays on its partition, so its readings stay in order."""

    def __init__(
        self, brokers: str, topic: str, seed: int, rate: int = 300, sensors: int = 24
    ) -> None:
        super().__init__(daemon=True)
        self.topic, self.rate, self.sensors = topic, rate, sensors
        self.random = random.Random(seed)
        self.partitions = 2
        self.poison = 0
        # The number of the last messages to send again, in another order.
        self.again = 0
        self._last: deque[tuple[int, bytes]] = deque(maxlen=3000)
        self.schema = 1
        self.sent = 0
        self.errors: list[str] = []
        self._ending = threading.Event()
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": brokers,
                "enable.idempotence": True,
                "linger.ms": 20,
                "message.timeout.ms": 600_000,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
                "topic.metadata.refresh.interval.ms": 1000,
            }
        )

    def run(self) -> None:
        began = time.monotonic()
        while not self._ending.is_set():
            wanted = int((time.monotonic() - began) * self.rate)
            while self.sent < wanted:
                self._one()
            if self.again:
                self._repeat()
            self._producer.poll(0)
            time.sleep(0.01)

    def end(self) -> None:
        """Stop, and wait until all messages are in the topic."""
        self._ending.set()
        if self.is_alive():
            self.join()
        self._producer.flush(120)

    def _repeat(self) -> None:
        chosen = list(self._last)[-self.again :]
        self.random.shuffle(chosen)
        for partition, message in chosen:
            self._send(partition, message)
        self.again = 0

    def _one(self) -> None:
        number = self.sent % (self.sensors * self.partitions)
        partition, sensor = number % self.partitions, f"sensor-{number:03d}"
        now = int(time.time() * 1_000_000)
        kind = self.random.random()
        # Within the out-of-orderness; within the allowed lateness, mostly; too late.
        age = (
            self.random.randint(0, 700_000)
            if kind > 0.02
            else 2_500_000
            if kind > 0.01
            else 9_000_000
        )
        at = now - age
        value = round((100 if is_spike(sensor, at) else 20) + self.random.random(), 6)
        if self.poison and kind > 0.5:
            self.poison -= 1
            self._send(
                partition,
                self.random.choice(
                    [
                        b"poison",
                        b"",
                        struct.pack(">bI", 0, 77) + b"x",
                        self._encoded(sensor, at, 9e9),
                    ]
                ),
            )
            return
        message = self._encoded(sensor, at, value)
        self._send(partition, message)
        self._last.append((partition, message))
        if kind > 0.99:
            self._send(partition, message)

    def _encoded(self, sensor: str, at: int, value: float) -> bytes:
        reading: dict[str, Any] = {"sensor": sensor, "at": at, "value": value, "battery": None}
        stream = io.BytesIO(struct.pack(">bI", 0, self.schema))
        stream.seek(0, 2)
        fastavro.schemaless_writer(stream, SCHEMAS[self.schema], reading)
        return stream.getvalue()

    def _send(self, partition: int, value: bytes) -> None:
        self.sent += 1
        while True:
            try:
                self._producer.produce(
                    self.topic, value, partition=partition, on_delivery=self._delivered
                )
            except confluent_kafka.KafkaException:
                # A new partition: the producer learns of it soon.
                self._producer.poll(0.2)
            else:
                return

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self.errors.append(error.str())
