"""Transactions on a real broker: each unit is committed once, whatever happens to the writer.

Also tests the assumptions of docs/exactly_once.md.
"""

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
from tests.support.cluster import messages
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


def test_a_restarted_writer_skips_committed_units(
    cluster: Cluster, topics: Callable[..., None]
) -> None:
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


def test_a_newer_writer_fences_the_older_one(cluster: Cluster, topics: Callable[..., None]) -> None:
    topics("fenced")
    older = writer(cluster, "fenced", "tocsin.fenced/Alarms")
    older.write(1, unit(1))
    newer = writer(cluster, "fenced", "tocsin.fenced/Alarms")
    with pytest.raises(Failure, match="another writer of 'fenced' has taken over"):
        older.write(2, unit(2))
    newer.write(2, unit(2))
    assert values(cluster, "fenced") == wanted(1, 2)


def test_writers_of_two_jobs_do_not_fence_each_other(
    cluster: Cluster, topics: Callable[..., None]
) -> None:
    topics("two")
    one, other = (
        writer(cluster, "two", "tocsin.one/Alarms"),
        writer(cluster, "two", "tocsin.other/Alarms"),
    )
    one.write(1, unit(1))
    other.write(2, unit(2))
    one.write(3, unit(3))
    assert values(cluster, "two") == wanted(1, 2, 3)


def test_a_unit_is_repeated_if_its_mark_is_lost(
    cluster: Cluster, topics: Callable[..., None], admin: AdminClient
) -> None:
    """Without the assumption that the broker keeps the mark, a unit is written twice."""
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
def test_each_unit_is_committed_once_after_a_crash_at(
    name: str, cluster: Cluster, topics: Callable[..., None], tmp_path: Path
) -> None:
    """A consumer with read_committed sees each unit once after the crash and a restart."""
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


def test_a_read_uncommitted_consumer_sees_aborted_messages(
    cluster: Cluster, topics: Callable[..., None]
) -> None:
    """This shows that consumers need `read_committed`."""
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
