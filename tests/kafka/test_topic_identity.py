"""A topic's id, asked for without waiting."""

from __future__ import annotations

from tocsin.kafka.topic_identity import TopicIdentity


def test_the_id_is_unknown_until_a_cluster_answers() -> None:
    identity = TopicIdentity("city.air", {"bootstrap.servers": "127.0.0.1:9", "log_level": 0})
    assert identity.latest() is None, "the first question is under way"
    assert not identity.is_another("AbC")
    assert not identity.is_another(None)
