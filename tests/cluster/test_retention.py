"""A job reports messages that retention deleted before it read them, with their position."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from infra.cluster.settings import Cluster
from tests.support.cluster import Run, as_json, parquet_files, traffic, wait_for

JOB = Path(__file__).parent / "life.yaml"


def test_messages_deleted_before_the_job_reads_them_are_reported(
    cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path, admin: AdminClient
) -> None:
    topics("gap", "gap.alarms", "gap.rejects")
    lake = tmp_path / "lake"
    given = {"LIFE_TOPIC": "gap", "LAKE": str(lake)}
    with traffic(cluster, "gap") as sending:
        tocsin("submit", JOB, **given)
        wait_for("output", lambda: len(parquet_files(lake)) > 3)
        saved = tocsin("stop", "life").stdout.strip()
        before = sending.sent
        wait_for("more messages", lambda: sending.sent > before + 600)
        # Delete messages that the job has not read.
        ends = [TopicPartition("gap", number, -1) for number in (0, 1)]
        for future in admin.delete_records(ends).values():
            future.result(30)
        found = tocsin(
            "submit", JOB, "--from-savepoint", saved, "--patience", 40, check=False, **given
        )
    assert found.returncode == 1
    assert "is no longer in the topic (retention has overtaken the job" in found.stderr
    assert "gap:" in found.stderr
    assert not [job for job in as_json(tocsin("status", "--json")) if job["state"] == "RUNNING"]
