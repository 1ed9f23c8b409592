"""Publish readings to a topic, at full speed or at a pace of event time."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa

from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka
from tocsin.kernels.batch import Int64s, micros
from tocsin.simulator.messages import encode, keys_of


class Publisher:
    """Encodes batches as Avro and publishes each row as one message, keyed by sensor."""

    def __init__(
        self,
        kafka: Kafka,
        topic: str,
        schema: str,
        speed: float,
        time_column: str = "received_at",
        key: str = "sensor_id",
    ) -> None:
        import confluent_kafka

        self.topic = topic
        self.schema = schema
        self.speed = speed
        self.time_column = time_column
        self.key = key
        self.address = kafka.address()
        self._error: str | None = None
        self._began: tuple[float, int] | None = None
        settings: dict[str, Any] = {
            "enable.idempotence": True,  # keeps the order when a request is repeated
            "linger.ms": 20,
            "queue.buffering.max.messages": 500_000,
            "message.timeout.ms": 30_000,
            "log_level": 3,
        }
        self._client = confluent_kafka.Producer(kafka.client_settings(**settings))

    def publish(self, batch: pa.RecordBatch, times: Int64s | None = None) -> int:
        """Publish the rows of a batch in order and return their number.

        times: microseconds since 1970 of each row; None for those of the time column.
        Raises Failure if the broker refuses one, ValueError where a row does not fit the schema.
        """
        if not batch.num_rows:
            return 0
        values = encode(batch, self.schema)
        arrivals = micros(batch.column(self.time_column)) if times is None else times
        keys, stamps = keys_of(batch, self.key), (arrivals // 1000).tolist()
        for at, (key, value, stamp) in enumerate(zip(keys, values, stamps, strict=True)):
            if self.speed and at % 100 == 0:
                self._wait_for(int(arrivals[at]))
            self._produce(key, value, stamp)
        return int(batch.num_rows)

    def _produce(self, key: bytes, value: bytes, stamp: int) -> None:
        while True:
            try:
                self._client.produce(
                    self.topic, value, key, timestamp=stamp, on_delivery=self._delivered
                )
            except BufferError:
                self._client.poll(0.2)
                if self._error:
                    raise Failure(self._error) from None
            else:
                return

    def _wait_for(self, moment: int) -> None:
        now = time.monotonic()
        self._client.poll(0)
        if self._began is None:
            self._began = (now, moment)
        pause = (moment - self._began[1]) / 1e6 / self.speed - (now - self._began[0])
        if pause > 0:
            time.sleep(pause)

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None and self._error is None:
            self._error = f"cannot write to '{self.topic}' at {self.address}: {error.str()}"

    def flush(self) -> None:
        """Wait until every message is acknowledged. Raises Failure if one is not."""
        left = self._client.flush(60)
        if self._error or left:
            raise Failure(
                self._error
                or f"{left} messages were not acknowledged at {self.address} within 60 s"
            )
