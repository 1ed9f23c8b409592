"""A job on Flink whose topic is created again, while it runs and while it is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import duckdb
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from infra.cluster.settings import Cluster
from tests.support.cluster import READING, Run, as_json, create_again, parquet_files, wait_for

JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadTelemetry
      name: Read
      config:
        topic: phoenix
        schema: reading.avsc
        format: json
        event_time: at
        out_of_orderness: 20 s
        idle_after: 1 s
        if_recreated: start_over
    - type: WriteToLake
      name: Lake
      config: {lake: lake, dataset: phoenix, span: 2 s}
"""


def send(cluster: Cluster, name: str, count: int) -> None:
    """Readings of now, of the sensors NAME0, NAME1 and so on."""
    producer = Producer({"bootstrap.servers": cluster.at("kafka"), "log_level": 0})
    for number in range(count):
        value = f'{{"sensor": "{name}{number}", "at": {int(time.time() * 1000)}}}'
        producer.produce("phoenix", value, partition=number % 2)
    assert producer.flush(30) == 0


def test_a_job_that_starts_over_reads_each_topic_from_its_beginning_once(
    cluster: Cluster,
    admin: AdminClient,
    tocsin: Run,
    topics: Callable[..., None],
    tmp_path: Path,
) -> None:
    (tmp_path / "job.yaml").write_text(JOB, "utf-8")
    (tmp_path / "reading.avsc").write_text(READING, "utf-8")
    topics("phoenix")

    def sensors() -> dict[str, int]:
        """The number of rows of each of the three topics."""
        if not parquet_files(tmp_path / "lake"):
            return {}
        files = f"read_parquet('{tmp_path}/lake/**/*.parquet')"
        found = duckdb.sql(f"select sensor[1], count(*) from {files} group by 1")
        return dict(found.fetchall())

    send(cluster, "a", 40)
    tocsin("submit", "job.yaml", cwd=tmp_path)
    wait_for("rows of the first topic", lambda: sensors() == {"a": 40})
    create_again(admin, topics, "phoenix")
    # Fewer than before: the offsets of the first topic are beyond its end.
    send(cluster, "b", 20)
    wait_for("rows of the second topic", lambda: sensors() == {"a": 40, "b": 20})
    savepoint = tocsin("stop", "job", cwd=tmp_path).stdout.strip()
    create_again(admin, topics, "phoenix")
    # More than before: the offsets of the second topic exist, and mean other messages.
    send(cluster, "c", 60)
    tocsin("submit", "job.yaml", "--from-savepoint", savepoint, cwd=tmp_path)
    wait_for("rows of the third topic", lambda: sensors().get("c", 0) >= 60)
    time.sleep(3)
    assert sensors() == {"a": 40, "b": 20, "c": 60}
    status = as_json(tocsin("status", "job", "--json", cwd=tmp_path))
    assert status["restarts"] == 0
