"""`tocsin alarms`."""

from __future__ import annotations

import json as json_text
import time
from typing import Any

from tocsin.cli.console import DONE, note, say
from tocsin.foundation.failure import Failure
from tocsin.foundation.printable import one_line
from tocsin.kafka.connection import Kafka


def alarms(
    topic: str, *, brokers: str | None = None, follow: bool = True, json: bool = False
) -> int:
    """Show the events of an alarm topic from its beginning, and wait for more.

    With --no-follow it ends after the events that the topic holds now.

    Parameters
    ----------
    topic
        Alarm topic.
    brokers
        Kafka brokers [env: TOCSIN_BROKERS].
    follow
        Wait for new events.
    json
        Print each event as JSON on one line.
    """
    for event in read_alarms(Kafka(brokers=brokers), topic, follow):
        say(json_text.dumps(event, ensure_ascii=False) if json else _line(event))
    return DONE


def _line(event: dict[str, Any]) -> str:
    """An event as one line, whatever its texts hold."""
    data = event["data"] if isinstance(event.get("data"), dict) else {}
    columns = [
        str(event.get("dateIssued", "")),
        f"{data.get('event', '')!s:6}",
        f"{event.get('severity', '')!s:8}",
        f"{data.get('rule', '')}: {event.get('description', '')}",
    ]
    return one_line("  ".join(columns))


def read_alarms(kafka: Kafka, topic: str, follow: bool) -> Any:
    """The alarm events of a topic, each CloudEvents id once. A note names what is no event.

    Raises Failure if the topic does not exist or Kafka does not answer.
    """
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    settings = {
        "group.id": "tocsin-alarms",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "log_level": 3,
    }
    consumer = Consumer(kafka.client_settings(**settings))
    try:
        found = consumer.list_topics(topic, timeout=10).topics[topic]
        if found.error is not None:
            raise Failure(f"the topic '{topic}' does not exist at {kafka.address()}")
        ends = {
            p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)
            for p in found.partitions
        }
        consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in ends.items()])
        left = sum(high - low for low, high in ends.values())
        seen: set[bytes] = set()
        deadline = time.monotonic() + 30
        while follow or left > 0:
            message = consumer.poll(0.5)
            if message is None or message.error() is not None:
                if not follow and time.monotonic() > deadline:
                    raise Failure(f"{left} messages of '{topic}' did not arrive within 30 s")
                continue
            left -= 1
            identity = dict(message.headers() or []).get("ce_id", b"")
            if not identity or identity not in seen:
                seen.add(identity)
                event = _event_in(message.value())
                if event is None:
                    place = f"{topic}:{message.partition()}, offset {message.offset()}"
                    note(f"{place} is no alarm event: not a JSON object")
                else:
                    yield event
    except KafkaException as error:
        raise Failure(f"no answer from Kafka at {kafka.address()}: {error.args[0].str()}") from None
    finally:
        consumer.close()


def _event_in(value: bytes | None) -> dict[str, Any] | None:
    """The event of a message; None for what is no JSON object."""
    try:
        event = json_text.loads(value or b"")
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
