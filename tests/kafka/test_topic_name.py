"""A topic has a name that Kafka accepts, and is not one of Kafka's own."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from tocsin.kafka.topic_name import TopicName

TOPIC = TypeAdapter(TopicName)


@pytest.mark.parametrize("name", ["city.air", "a", "A-1_b.c", "x" * 249, "_x"])
def test_a_name_of_kafka_is_accepted(name: str) -> None:
    assert TOPIC.validate_python(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "../x", "^.*", "a b", "a\n", "ü", "x" * 250, "__consumer_offsets"],
)
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="topic"):
        TOPIC.validate_python(name)
