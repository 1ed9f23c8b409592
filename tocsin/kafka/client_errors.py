"""What the errors of a consumer mean for a reader that holds its own offsets."""

from __future__ import annotations

from confluent_kafka import KafkaError

# Errors from which librdkafka recovers by itself. The coordinator is that of a group that a reader
# never joins; it needs no right to one.
_PASSING = {
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - the client's public name
    KafkaError._TRANSPORT,  # noqa: SLF001 - the client's public name
    KafkaError._RESOLVE,  # noqa: SLF001 - the client's public name
    KafkaError._TIMED_OUT,  # noqa: SLF001 - the client's public name
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}
_SOON = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REPLICA_NOT_AVAILABLE,
}
_GONE = {
    KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - the client's public name
    KafkaError.OFFSET_OUT_OF_RANGE,
}
_NO_TOPIC = {
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - the client's public name
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - the client's public name
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}


def is_passing(code: int) -> bool:
    """The client recovers by itself."""
    return code in _PASSING


def is_soon_over(code: int) -> bool:
    """The topic was just created: its partitions get their leaders within seconds."""
    return code in _SOON


def says_offset_is_gone(code: int) -> bool:
    """The offset is not in the topic."""
    return code in _GONE


def says_topic_is_gone(code: int) -> bool:
    """There is no such topic or partition at present."""
    return code in _NO_TOPIC
