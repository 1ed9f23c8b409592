"""An idempotent Kafka producer. Flush it before a bundle ends, then a retry is safe."""

from __future__ import annotations

from typing import Any

from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka

Headers = list[tuple[str, bytes]]


class Producer:
    """A producer that records the first delivery error, which `flush` raises.

    Raises:
        Failure: for invalid settings.
    """

    def __init__(self, kafka: Kafka) -> None:
        import confluent_kafka

        self.kafka = kafka
        self.address = kafka.address()
        self._error: str | None = None
        settings = kafka.client_settings(
            **{
                "enable.idempotence": True,
                "linger.ms": 20,
                # Bytes bound the queue: `send` then blocks its step, and `flush` waits for no more.
                "queue.buffering.max.kbytes": 1024
                + 2 * int(kafka.settings.get("message.max.bytes", 2**20)) // 1024,
                "compression.type": "zstd",
                "message.timeout.ms": 60_000,
                "log_level": 3,
            }
        )
        try:
            self._client = confluent_kafka.Producer(settings)
        except confluent_kafka.KafkaException as error:
            raise Failure(f"Kafka settings refused: {error.args[0].str()}") from None

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Queue one message. Blocks while the queue is full.

        Raises:
            Failure: if the client rejects the message.
        """
        import confluent_kafka

        while True:
            try:
                self._client.produce(
                    topic, value, key, on_delivery=self._delivered, headers=headers
                )
            except BufferError:
                self._client.poll(0.5)
            except confluent_kafka.KafkaException as error:
                raise Failure(
                    f"cannot write to the topic '{topic}' at {self.address}: {error.args[0].str()}"
                ) from None
            else:
                return

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None and self._error is None:
            self._error = (
                f"cannot write to the topic '{message.topic()}' at {self.address}: "
                f"{self.kafka.reason_of(error)}"
            )

    def flush(self) -> None:
        """Wait until Kafka has acknowledged every message.

        Raises:
            Failure: for the first message that was not acknowledged.
        """
        left = self._client.flush(70)
        error, self._error = self._error, None
        if error is not None or left:
            raise Failure(
                error
                or f"{left} messages were not acknowledged by Kafka at {self.address} within 70 s"
            )
