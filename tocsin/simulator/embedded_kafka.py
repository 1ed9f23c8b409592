"""librdkafka's mock cluster as an embedded Kafka for the demo and tests: it needs no Java.

It keeps at most 5 MB in a partition, then drops the oldest messages silently; `ensure_whole`
detects that. It has no time index and no isolation of transactions.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from tocsin.foundation.failure import Failure


class EmbeddedKafka:
    """A broker in this process. A topic has four partitions, and exists after its first use."""

    def __init__(self) -> None:
        import confluent_kafka

        self._cluster: Any = confluent_kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._cluster.list_topics(timeout=10).brokers.values()
        self.brokers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the broker; its messages are lost."""
        self._cluster = None

    def create(self, topic: str) -> None:
        """Create a topic if it does not exist."""
        import confluent_kafka

        producer = confluent_kafka.Producer({"bootstrap.servers": self.brokers, "log_level": 0})
        producer.list_topics(topic, timeout=10)

    def ensure_whole(self, topic: str) -> int:
        """The number of messages in a topic. Raises Failure where the broker dropped some."""
        import confluent_kafka

        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.brokers, "group.id": "whole", "log_level": 0}
        )
        try:
            total = 0
            for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
                low, high = consumer.get_watermark_offsets(
                    confluent_kafka.TopicPartition(topic, partition), timeout=10
                )
                if low:
                    raise Failure(
                        "the embedded Kafka holds 5 MB a partition and dropped "
                        f"{low:,} messages of {topic}:{partition}"
                    )
                total += high - low
            return total
        finally:
            consumer.close()
