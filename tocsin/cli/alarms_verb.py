"""`tocsin alarms`."""

from __future__ import annotations

import json as json_text
import time
from typing import Any

from tocsin.cli.console import DONE, say
from tocsin.foundation.failure import Failure
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
        if json:
            say(json_text.dumps(event, ensure_ascii=False))
        else:
            data = event["data"]
            say(
                f"{event['dateIssued']}  {data['event']:6}  {event['severity']:8}  "
                f"{data['rule']}: {event['description']}"
            )
    return DONE


def read_alarms(kafka: Kafka, topic: str, follow: bool) -> Any:
    """The alarm events of a topic, each CloudEvents id once.

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
            if identity not in seen:
                seen.add(identity)
                yield json_text.loads(message.value())
    except KafkaException as error:
        raise Failure(f"no answer from Kafka at {kafka.address()}: {error.args[0].str()}") from None
    finally:
        consumer.close()
