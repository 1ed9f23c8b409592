"""Which topic a name means: a topic that is deleted and created again gets another id.

Offsets of the old topic mean other messages in the new one. A consumer does not notice: it skips
the first messages of the new topic, or reads none.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

# Fresh answers that confirm another id, and seconds before each.
_CONFIRMATIONS, _PAUSE = 2, 0.5
_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"


class TopicIdentity:
    """Asks a cluster for a topic's id, first with patience, later without waiting."""

    def __init__(self, topic: str, settings: dict[str, Any], interval: float = 10.0) -> None:
        from confluent_kafka.admin import AdminClient

        self._topic = topic
        self._interval = interval
        self._client = AdminClient(settings)
        self._asked = -interval
        self._answer: Future[Any] | None = None
        self._known: str | None = None

    def first(self, patience: float) -> str | None:
        """The id; None where the cluster has no ids (before Kafka 2.8) or does not answer."""
        from confluent_kafka import KafkaException

        try:
            # An embedded broker has no controller, which the question would wait for.
            cluster = self._client.list_topics(self._topic, patience)
            if cluster.controller_id not in cluster.brokers:
                return None
            self._ask(patience)
            assert self._answer is not None
            self._take(self._answer.result(patience))
        except (KafkaException, TimeoutError):
            return None
        return self._known

    def latest(self) -> str | None:
        """The latest known id. A new question is under way where the last one is old."""
        if self._answer is not None and self._answer.done():
            if self._answer.exception() is None:
                self._take(self._answer.result())
            self._answer = None
        if self._answer is None and time.monotonic() > self._asked + self._interval:
            self._ask(self._interval)
        return self._known

    def is_another(self, expected: str | None) -> bool:
        """Whether the latest known id is not that of a position; False where one is unknown."""
        found = self.latest()
        return None not in (expected, found) and found != expected

    def is_surely_another(self, expected: str | None) -> bool:
        """The same, confirmed by answers that are newer than the position.

        The latest known id may be that of the former topic, where a position is of the new one. And
        brokers learn of a new topic one after another.
        """
        for _ in range(_CONFIRMATIONS):
            if not self.is_another(expected):
                return False
            time.sleep(_PAUSE)
            self.first(self._interval)
        return self.is_another(expected)

    def why_another(self, expected: str | None, place: str) -> str:
        """The sentence for a position whose topic is another one now."""
        return (
            f"{place}: the topic was deleted and created again, so the job's offsets mean "
            f"other messages (id {expected}, now {self._known})"
        )

    def _ask(self, patience: float) -> None:
        from confluent_kafka import TopicCollection

        asked = self._client.describe_topics(
            TopicCollection([self._topic]), request_timeout=patience
        )
        self._answer, self._asked = asked[self._topic], time.monotonic()

    def _take(self, description: Any) -> None:
        found = str(description.topic_id)
        self._known = None if found == _NO_ID else found
