"""A source on a real broker: topics that are new, large, or another one than before."""

from __future__ import annotations

import pickle
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from tocsin.transforms.read.read_telemetry import ReadTelemetry

from infra.cluster.settings import Cluster
from tests.support.cluster import READING, create_again
from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka

AGAIN = "the topic was deleted and created again"


@pytest.fixture
def source(cluster: Cluster, tmp_path: Path) -> Callable[[str], ReadTelemetry]:
    """A function that gives the source of a topic."""
    (tmp_path / "reading.avsc").write_text(READING, "utf-8")

    def of(topic: str) -> ReadTelemetry:
        return ReadTelemetry.model_validate(
            {
                "topic": topic,
                "schema": str(tmp_path / "reading.avsc"),
                "event_time": "at",
                "format": "json",
                "kafka": Kafka(brokers=cluster.at("kafka")),
            },
            context={"allow": True},
        )

    return of


def send(cluster: Cluster, topic: str, count: int, partitions: int = 1) -> None:
    producer = Producer({"bootstrap.servers": cluster.at("kafka"), "log_level": 0})
    for number in range(count):
        value = f'{{"sensor": "s{number}", "at": {1_772_409_600_000 + number}}}'
        producer.produce(topic, value, partition=number % partitions)
    assert producer.flush(30) == 0


def rows(reader: Iterator[Any], patience: float = 30.0) -> int:
    """The number of rows until a pause that follows some."""
    found, until = 0, time.monotonic() + patience
    for fetched in reader:
        if fetched is None and (found or time.monotonic() > until):
            return found
        found += 0 if fetched is None else fetched.batch.num_rows
    return found


def test_a_topic_created_again_while_the_job_was_stopped_is_not_read_at_old_offsets(
    cluster: Cluster,
    admin: AdminClient,
    topics: Callable[..., None],
    source: Callable[[str], ReadTelemetry],
) -> None:
    topics(again_stopped=1)
    send(cluster, "again_stopped", 20)
    (split,) = source("again_stopped").splits(live=True)
    assert rows(source("again_stopped").read(split, 0)) == 20
    # What a checkpoint keeps.
    split = pickle.loads(pickle.dumps(split))
    create_again(admin, topics, "again_stopped")
    send(cluster, "again_stopped", 50)
    with pytest.raises(Failure, match=AGAIN) as raised:
        next(source("again_stopped").read(split, 20))
    assert re.search(r"again_stopped:0, offset 20: .*tocsin stop --discard", str(raised.value))
    (fresh,) = source("again_stopped").splits(live=True)
    assert fresh.topic_id != split.topic_id
    assert rows(source("again_stopped").read(fresh, 0)) == 50


def test_a_topic_created_again_while_the_job_lives_ends_the_reading(
    cluster: Cluster,
    admin: AdminClient,
    topics: Callable[..., None],
    source: Callable[[str], ReadTelemetry],
) -> None:
    """The client resumes at the old offset in silence where the new topic is long enough."""
    topics(again_live=1)
    send(cluster, "again_live", 20)
    read = source("again_live")
    (split,) = read.splits(live=True)
    reader = read.read(split, 0)
    assert rows(reader) == 20
    create_again(admin, topics, "again_live")
    send(cluster, "again_live", 50)
    with pytest.raises(Failure, match=AGAIN + "|no longer in the topic|Unknown topic"):
        for _ in zip(reader, range(10_000), strict=False):
            pass


def test_a_topic_is_read_at_once_after_its_creation(
    topics: Callable[..., None], source: Callable[[str], ReadTelemetry]
) -> None:
    for number in range(5):
        topics(**{f"just_now_{number}": 4})
        assert len(source(f"just_now_{number}").splits(live=True)) == 4


def test_two_hundred_partitions_take_few_threads(
    cluster: Cluster, topics: Callable[..., None], source: Callable[[str], ReadTelemetry]
) -> None:
    topics(wide=200)
    send(cluster, "wide", 2000, partitions=200)
    read = source("wide")
    splits = read.splits(live=False)
    before = threads()
    assert sum(rows(read.read(split, split.start)) for split in splits) == 2000
    assert threads() - before < 100


def test_aborted_and_open_transactions_give_no_row_and_no_wait(
    cluster: Cluster, topics: Callable[..., None], source: Callable[[str], ReadTelemetry]
) -> None:
    """A bounded run ends before the first open transaction."""
    topics(transactional=1)

    def begun(name: str) -> Producer:
        settings = {"bootstrap.servers": cluster.at("kafka"), "transactional.id": name}
        producer = Producer({**settings, "log_level": 0})
        producer.init_transactions(30)
        producer.begin_transaction()
        for number in range(5):
            value = f'{{"sensor": "{name}{number}", "at": {1_772_409_600_000 + number}}}'
            producer.produce("transactional", value, partition=0)
        producer.flush(30)
        return producer

    begun("kept").commit_transaction(30)
    begun("aborted").abort_transaction(30)
    begun("also_kept").commit_transaction(30)
    still_open = begun("open")
    read = source("transactional")
    (split,) = read.splits(live=False)
    assert rows(read.read(split, split.start)) == 10
    still_open.commit_transaction(30)
    (split,) = read.splits(live=False)
    assert rows(source("transactional").read(split, split.start)) == 15


def test_offsets_that_compaction_has_removed_are_skipped(
    cluster: Cluster, admin: AdminClient, source: Callable[[str], ReadTelemetry]
) -> None:
    """The latest message of each key stays, at its offset."""
    small = {
        "cleanup.policy": "compact",
        "segment.ms": "200",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "500",
    }
    admin.create_topics([NewTopic("compacted", 1, 1, config=small)])["compacted"].result(30)
    producer = Producer({"bootstrap.servers": cluster.at("kafka"), "log_level": 0})

    def send_keys(first: int, count: int) -> None:
        for number in range(first, first + count):
            value = f'{{"sensor": "s{number % 5}", "at": {1_772_409_600_000 + number}}}'
            producer.produce("compacted", value, key=f"{number % 5}", partition=0)
        assert producer.flush(30) == 0

    read = source("compacted")
    send_keys(0, 1000)
    until, found, sent = time.monotonic() + 90, 1000, 1000
    while found > 500 and time.monotonic() < until:
        # A new message closes the segment before it.
        time.sleep(1)
        send_keys(sent, 1)
        sent += 1
        (split,) = read.splits(live=False)
        found = rows(source("compacted").read(split, split.start))
    assert 5 <= found <= 500
    (split,) = read.splits(live=False)
    assert split.stop == sent
    # A checkpoint may hold any of the removed offsets.
    assert rows(source("compacted").read(split, 3)) <= found


def threads() -> int:
    """Threads of this process, those of libraries included."""
    status = Path("/proc/self/status").read_text("utf-8")
    found = re.search(r"^Threads:\s+(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else threading.active_count()
