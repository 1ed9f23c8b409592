"""Where the partitions of a topic begin and end: one question for all of them, not one each."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from tocsin.kafka.client_errors import is_soon_over


def topic_ends(
    settings: dict[str, Any], topic: str, partitions: Iterable[int], patience: float
) -> dict[int, tuple[int, int]]:
    """The first offset of each partition, and the one after its last committed message.

    A partition without a leader, as in a new topic, is asked again.

    Args:
        settings: of the client.
        topic: the topic.
        partitions: the partitions.
        patience: seconds for an answer.

    Raises:
        KafkaException: if the cluster does not answer or refuses.
    """
    from confluent_kafka.admin import AdminClient, OffsetSpec

    client = AdminClient(settings)
    wanted, until = set(partitions), time.monotonic() + patience
    first = _ask(client, topic, wanted, OffsetSpec.earliest(), until)
    last = _ask(client, topic, wanted, OffsetSpec.latest(), until)
    return {partition: (first[partition], last[partition]) for partition in sorted(wanted)}


def _ask(client: Any, topic: str, wanted: set[int], spec: Any, until: float) -> dict[int, int]:
    from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

    found: dict[int, int] = {}
    while True:
        left = max(until - time.monotonic(), 1.0)
        places = {TopicPartition(topic, one): spec for one in wanted - found.keys()}
        answers = client.list_offsets(
            places, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=left
        )
        for place, answer in answers.items():
            try:
                found[place.partition] = int(answer.result(left + 1).offset)
            except KafkaException as error:
                if not is_soon_over(error.args[0].code()) or time.monotonic() > until:
                    raise
        if len(found) == len(wanted):
            return found
        time.sleep(0.2)
