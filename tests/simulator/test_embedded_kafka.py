"""The embedded Kafka detects that it has dropped messages."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.foundation.failure import Failure


def test_all_messages_of_a_topic_are_counted(kafka: Any, send: Any) -> None:
    kafka.create("few")
    assert kafka.ensure_whole("few") == 0
    send("few", [b"one", b"two", b"three"])
    assert kafka.ensure_whole("few") == 3


def test_dropped_messages_are_an_error(kafka: Any, send: Any) -> None:
    send("many", [(bytes(500_000), None, None, 0)] * 15)
    with pytest.raises(Failure, match=r"5 MB a partition and dropped \d+ messages of many:0"):
        kafka.ensure_whole("many")
