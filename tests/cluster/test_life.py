"""A job's life cycle on the cluster: submit, status, plan, upgrade, savepoint, stop and restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

from infra.cluster.settings import Cluster
from tests.support.cluster import Run, as_json, messages, parquet_files, traffic, wait_for

JOB = Path(__file__).parent / "life.yaml"


def test_the_life_cycle_of_a_job(
    cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    topics("life", "life.alarms", "life.rejects")
    lake = tmp_path / "lake"
    given = {"LIFE_TOPIC": "life", "LAKE": str(lake)}
    with traffic(cluster, "life"):
        submitted = as_json(tocsin("submit", JOB, "--json", **given))
        assert submitted["state"] == "RUNNING"
        wait_for("output", lambda: len(parquet_files(lake)) > 3)

        status = as_json(tocsin("status", "life", "--json"))
        assert status["id"] == submitted["id"]
        assert status["checkpoints"]["completed"] >= 1
        assert status["restarts"] == 0
        wait_for(
            "a balanced ledger", lambda: as_json(tocsin("status", "life", "--json"))["balances"]
        )
        assert {split["partition"] for split in status["splits"]} == {0, 1}
        assert all(split["lag"] is not None and split["position"] > 0 for split in status["splits"])
        assert status["watermark"] is not None
        assert "Aggregate" in tocsin("status", "life").stdout

        again = tocsin("submit", JOB, check=False, **given)
        assert again.returncode == 2
        assert "runs already" in again.stderr

        renamed = {**given, "LIFE_STEP": "Windows"}
        difference = tocsin("plan", JOB, "--diff", "running", check=False, **renamed)
        assert difference.returncode == 2
        assert "its open windows would be lost" in difference.stdout
        refused = tocsin("upgrade", JOB, check=False, **renamed)
        assert refused.returncode == 2
        assert (
            "step 'Aggregate' is gone or has another name: its open windows would be lost"
            in refused.stderr
        )
        assert as_json(tocsin("status", "life", "--json"))["id"] == submitted["id"], (
            "the job keeps running"
        )

        changed = {**given, "THRESHOLD": "55"}
        assert (
            "an upgrade keeps all state"
            in tocsin("plan", JOB, "--diff", "running", **changed).stdout
        )
        tocsin("upgrade", JOB, "--parallelism", 2, **changed)
        upgraded = as_json(tocsin("status", "life", "--json"))
        assert upgraded["id"] != submitted["id"]

        saved = tocsin("savepoint", "life").stdout.strip()
        assert Path(saved.removeprefix("file:")).is_dir()
        stopped = tocsin("stop", "life").stdout.strip()
        count = len(parquet_files(lake))
        tocsin("submit", JOB, "--from-savepoint", stopped, **changed)
        wait_for("output after the savepoint", lambda: len(parquet_files(lake)) > count + 3)
        assert "org.apache.flink" in tocsin("logs", "life").stdout
        tocsin("stop", "life", "--discard")
    stopped_twice = tocsin("stop", "life", check=False)
    assert stopped_twice.returncode == 2
    assert "has ended" in stopped_twice.stderr
    files = f"read_parquet('{lake}/**/*.parquet', hive_partitioning=false)"
    twice = duckdb.sql(
        f"select count(*) from (select 1 from {files} "
        "group by sensor, window_start, revision having count(*) > 1)"
    )
    assert twice.fetchall() == [(0,)]
    events = [
        dict(message.headers())["ce_id"] for message in messages(cluster.at("kafka"), "life.alarms")
    ]
    assert events


def test_a_finished_job_keeps_its_ledger(
    cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    topics("ended", "ended.alarms", "ended.rejects")
    with traffic(cluster, "ended"):
        wait_for("readings", lambda: len(messages(cluster.at("kafka"), "ended")) > 100)
    given = {"LIFE_TOPIC": "ended", "LAKE": str(tmp_path / "lake")}
    found = as_json(tocsin("submit", JOB, "--bounded", "--json", **given))
    assert (found["state"], found["balances"]) == ("FINISHED", True)
    assert found["steps"]["Read"]["read"] == len(messages(cluster.at("kafka"), "ended"))
    status = as_json(tocsin("status", "life", "--json"))
    assert (status["id"], status["balances"]) == (found["id"], True)
    assert status["ledger"]["Read"] == found["steps"]["Read"]


def test_a_job_that_cannot_start_reports_the_reason(
    cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    given = {"LIFE_TOPIC": "no.such.topic", "LAKE": str(tmp_path / "lake")}
    found = tocsin("submit", JOB, check=False, **given)
    assert found.returncode == 1
    assert "the topic 'no.such.topic" in found.stderr
    assert "does not exist" in found.stderr
    assert "Traceback" not in found.stderr


def test_too_few_task_slots_are_reported(
    cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    topics("slots", "slots.alarms", "slots.rejects")
    given = {"LIFE_TOPIC": "slots", "LAKE": str(tmp_path / "lake")}
    found = tocsin("submit", JOB, "--parallelism", 8, "--patience", 25, check=False, **given)
    assert found.returncode == 1
    assert "are there enough task slots?" in found.stderr


def test_an_unreachable_cluster_is_reported_in_a_sentence(tocsin: Run) -> None:
    for arguments in (
        ("status", "life"),
        ("stop", "life"),
        ("savepoint", "life"),
        ("logs", "life"),
    ):
        found = tocsin(*arguments, "--flink", "http://127.0.0.1:1", check=False)
        assert found.returncode == 1
        assert "no answer from Flink at http://127.0.0.1:1" in found.stderr


def test_an_invalid_job_is_reported_with_its_position(tocsin: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("pipeline: {type: chain, transforms: [{type: ReadTelemetri}]}")
    found = tocsin("submit", broken, check=False)
    assert found.returncode == 2
    assert "broken.yaml:1:" in found.stderr
