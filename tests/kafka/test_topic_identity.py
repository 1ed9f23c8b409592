"""A topic's id, asked for without waiting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tocsin.transforms.read.read_telemetry import ReadTelemetry

from tests.conftest import ROOT
from tocsin.kafka.topic_identity import TopicIdentity


def test_the_id_is_unknown_until_a_cluster_answers() -> None:
    identity = TopicIdentity("city.air", {"bootstrap.servers": "127.0.0.1:9", "log_level": 0})
    assert identity.latest() is None, "the first question is under way"
    assert not identity.is_another("AbC")
    assert not identity.is_another(None)


def test_partitions_that_are_found_before_the_id_is_known_are_of_the_known_topic() -> None:
    config = {"topic": "t", "schema": "schemas/air_reading.avsc", "event_time": "observed_at"}
    source = ReadTelemetry.model_validate(config, context={"folders": [str(ROOT)]})
    found: Any = SimpleNamespace(topics={"t": SimpleNamespace(partitions=range(3))})
    source._watching = SimpleNamespace(list_topics=lambda *_, **__: found)  # type: ignore[assignment]
    source._identity = SimpleNamespace(latest=lambda: None)  # type: ignore[assignment]
    # An engine that took them for another topic's would read partitions 1 and 2 twice.
    assert [(one.partition, one.topic_id) for one in source.added(1, "id") or []] == [
        (1, "id"),
        (2, "id"),
    ]
