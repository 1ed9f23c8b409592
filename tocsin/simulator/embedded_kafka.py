"""librdkafka's mock cluster as an embedded Kafka, for the demo and for tests: no Java, nothing to install.

It keeps at most 5 MB a partition and then drops the oldest without a word, so `ensure_whole` guards it; it has no time index
and no transactions isolation.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from tocsin.foundation.failure import Failure


class EmbeddedKafka:
    """A broker in this process, with topics of four partitions that exist once they are written to or asked for."""

    def __init__(self) -> None:
        import confluent_kafka

        self._cluster: Any = confluent_kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._cluster.list_topics(timeout=10).brokers.values()
        self.brokers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def __enter__(self) -> EmbeddedKafka:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop it; what it held is gone."""
        self._cluster = None

    def create(self, topic: str) -> None:
        """Make sure that a topic exists."""
        import confluent_kafka

        producer = confluent_kafka.Producer({"bootstrap.servers": self.brokers, "log_level": 0})
        producer.list_topics(topic, timeout=10)

    def ensure_whole(self, topic: str) -> int:
        """Number of messages in the topic. Raises Failure where the mock has dropped some."""
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
                        f"the embedded Kafka holds 5 MB a partition and dropped {low:,} messages of {topic}:{partition}"
                    )
                total += high - low
            return total
        finally:
            consumer.close()
