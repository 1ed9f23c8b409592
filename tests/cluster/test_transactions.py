"""Transactions on a real broker: each unit once, for any number of lives of the writer; the assumptions of docs/exactly_once.md."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

from infra.cluster.settings import ROOT, Cluster
from tests.cluster.conftest import messages
from tocsin.foundation.failpoint import ALARMS, FAILPOINTS_VARIABLE
from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka
from tocsin.kafka.transactions import Transactions


def unit(number: int) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    return [(b"key", f"{number}.{at}".encode(), []) for at in range(3)]


def values(cluster: Cluster, topic: str) -> list[str]:
    return sorted(message.value().decode() for message in messages(cluster.at("kafka"), topic))


def wanted(*numbers: int) -> list[str]:
    return sorted(f"{number}.{at}" for number in numbers for at in range(3))


def writer(cluster: Cluster, topic: str, identity: str) -> Transactions:
    return Transactions(Kafka(brokers=cluster.at("kafka")), topic, identity)


def test_a_new_life_skips_what_is_done(cluster: Cluster, topics: Callable[..., None]) -> None:
    topics("lives")
    first = writer(cluster, "lives", "tocsin.lives/Alarms")
    assert [first.write(number, unit(number)) for number in (1, 2, 5)] == [True, True, True]
    second = writer(cluster, "lives", "tocsin.lives/Alarms")
    assert second.done == 5
    assert [second.write(number, unit(number)) for number in (1, 2, 5, 6)] == [
        False,
        False,
        False,
        True,
    ]
    assert values(cluster, "lives") == wanted(1, 2, 5, 6)


def test_the_older_of_two_writers_can_commit_nothing_more(
    cluster: Cluster, topics: Callable[..., None]
) -> None:
    topics("fenced")
    older = writer(cluster, "fenced", "tocsin.fenced/Alarms")
    older.write(1, unit(1))
    newer = writer(cluster, "fenced", "tocsin.fenced/Alarms")
    with pytest.raises(Failure, match="another writer of 'fenced' has taken over"):
        older.write(2, unit(2))
    newer.write(2, unit(2))
    assert values(cluster, "fenced") == wanted(1, 2)


def test_two_jobs_do_not_fence_each_other(cluster: Cluster, topics: Callable[..., None]) -> None:
    topics("two")
    one, other = (
        writer(cluster, "two", "tocsin.one/Alarms"),
        writer(cluster, "two", "tocsin.other/Alarms"),
    )
    one.write(1, unit(1))
    other.write(2, unit(2))
    one.write(3, unit(3))
    assert values(cluster, "two") == wanted(1, 2, 3)


def test_without_its_mark_a_unit_comes_again(
    cluster: Cluster, topics: Callable[..., None], admin: AdminClient
) -> None:
    """What the assumption about the broker's memory costs where it does not hold."""
    topics("forgotten")
    writer(cluster, "forgotten", "tocsin.forgotten/Alarms").write(1, unit(1))
    for future in admin.delete_consumer_groups(["tocsin.forgotten/Alarms"]).values():
        future.result(30)
    assert writer(cluster, "forgotten", "tocsin.forgotten/Alarms").write(1, unit(1))
    assert values(cluster, "forgotten") == wanted(1, 1)


PROGRAM = """
    import sys
    from tocsin.kafka.connection import Kafka
    from tocsin.kafka.transactions import Transactions
    made = Transactions(Kafka(brokers=sys.argv[1]), sys.argv[2], "tocsin.crash/" + sys.argv[2])
    for number in (1, 2):
        made.write(number, [(b"key", f"{number}.{at}".encode(), []) for at in range(3)])
"""


@pytest.mark.parametrize("name", ALARMS)
def test_a_death_at_each_step(
    name: str, cluster: Cluster, topics: Callable[..., None], tmp_path: Path
) -> None:
    """The process dies at the step, is started again, and what a read_committed consumer sees is each unit once."""
    topic = name.replace(".", "-")
    topics(topic)
    environment = {**os.environ, FAILPOINTS_VARIABLE: str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), cluster.at("kafka"), topic]
    (tmp_path / name).touch()
    died = subprocess.run(command, env=environment, timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    assert not (tmp_path / name).exists()
    assert len(values(cluster, topic)) in (0, 3), "all of a unit or nothing"
    assert subprocess.run(command, env=environment, timeout=90, check=False).returncode == 0
    assert values(cluster, topic) == wanted(1, 2)


def test_a_reader_of_uncommitted_messages_sees_what_was_given_up(
    cluster: Cluster, topics: Callable[..., None]
) -> None:
    """So `read_committed` is a condition, not a decoration."""
    topics("given-up")
    settings = {"bootstrap.servers": cluster.at("kafka"), "log_level": 0}
    dying = confluent_kafka.Producer({**settings, "transactional.id": "tocsin.given-up/Alarms"})
    dying.init_transactions(30)
    dying.begin_transaction()
    dying.produce("given-up", b"given up", partition=0)
    assert dying.flush(30) == 0
    writer(cluster, "given-up", "tocsin.given-up/Alarms").write(1, unit(1))
    consumer = confluent_kafka.Consumer(
        {
            **settings,
            "group.id": "careless",
            "isolation.level": "read_uncommitted",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([confluent_kafka.TopicPartition("given-up", number, 0) for number in (0, 1)])
    seen = [
        message.value().decode()
        for message in consumer.consume(100, timeout=8)
        if message.error() is None
    ]
    consumer.close()
    assert values(cluster, "given-up") == wanted(1)
    assert sorted(seen) == sorted([*wanted(1), "given up"])
