"""Each job of `jobs/` gives on Flink what it gives locally: at parallelism 1 and 2, live and replayed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from infra.cluster.settings import ROOT, Cluster
from tests.cluster.conftest import Run, as_json, messages, wait_for
from tocsin.city.simulator import City
from tocsin.city.systems import SYSTEMS, system_of
from tocsin.cli.sending import Sending
from tocsin.parts.connection import Kafka

HOUR = 3_600_000_000
CITIES = {
    "air_quality": City(system="air", sensors=12, duration=HOUR // 2, anomalies=4),
    "climate": City(system="climate", sensors=12, duration=2 * HOUR, cadence=60_000_000, anomalies=4),
    "connected_locks": City(system="locks", sensors=40, duration=2 * HOUR, anomalies=8, late=0.005),
}
# What comes long after lets a job that reads on finish all the windows before.
AFTER = 6 * HOUR


def closing(city: City) -> City:
    return replace(city, start=city.start + AFTER, duration=max(city.cadence, 60_000_000), anomalies=0)


def fill(brokers: str, topic: str, job: str, *cities: City) -> None:
    known = SYSTEMS[CITIES[job].system]
    schema = (ROOT / "schemas" / known.schema).read_text()
    for city in cities:
        simulated = system_of(city)
        sending = Sending(Kafka(brokers=brokers), topic, schema, 0, key=simulated.key)
        for batch in simulated.readings():
            sending.send(batch)
        sending.flush()


def files(lake: Path, before: int) -> dict[str, str]:
    """Digest of the rows, in their order, by path of the files whose span is over before a moment (microseconds).

    Not of the bytes: the ranges of offsets in a file's metadata tell the batches that it came from, which differ.
    """
    found = {}
    for file in sorted(lake.rglob("*.parquet")):
        stamp = re.match(r"(\d{8}T\d{6})Z", file.name)
        assert stamp, file
        if stamp[1] < _stamp(before) and not file.name.startswith("."):
            rows = parquet.ParquetFile(file).read().replace_schema_metadata(None).combine_chunks()
            stream = pa.BufferOutputStream()
            with pa.ipc.new_stream(stream, rows.schema) as writer:
                writer.write_table(rows)
            found[str(file.relative_to(lake))] = hashlib.sha256(stream.getvalue()).hexdigest()
    return found


def _stamp(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1e6, UTC).strftime("%Y%m%dT%H%M%S")


def alarms(brokers: str, topic: str, before: int) -> list[tuple[str, bytes]]:
    """Id and text of the alarm events before a moment."""
    found = []
    for message in messages(brokers, topic):
        headers = {name: value.decode() for name, value in message.headers()}
        if headers["ce_time"] < _iso(before):
            found.append((headers["ce_id"], message.value()))
    return sorted(found)


def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize("job", CITIES)
def test_the_same_lake_on_flink(job: str, cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path) -> None:
    city = CITIES[job]
    brokers, topic = cluster.at("kafka"), f"same.{job}"
    topics(topic)
    registry = str(tmp_path / "registry.csv")
    csv.write_csv(system_of(city).registry(), registry)
    until = city.start + AFTER - HOUR

    def variables(run: str) -> dict[str, str]:
        topics(f"same.{job}.{run}.alarms", f"same.{job}.{run}.rejects")
        return {
            "LAKE": str(tmp_path / run), "AIR_TOPIC": topic, "CLIMATE_TOPIC": topic, "LOCK_TOPIC": topic, "CAMERA_TOPIC": topic,
            "AIR_REGISTRY": registry, "LOCK_REGISTRY": registry, "CAMERA_REGISTRY": registry,
            "ALARM_TOPIC": f"same.{job}.{run}.alarms", "REJECT_TOPIC": f"same.{job}.{run}.rejects",
        }  # fmt: skip

    # Live first: the readings come while the job runs.
    tocsin("submit", f"jobs/{job}.yaml", "--parallelism", 2, **variables("live"))
    fill(brokers, topic, job, city, closing(city))
    local = as_json(tocsin("run", f"jobs/{job}.yaml", "--json", **variables("local")))
    assert local["balances"]
    wanted, wanted_alarms = files(tmp_path / "local", until), alarms(brokers, f"same.{job}.local.alarms", until)
    assert len(wanted) > 2
    assert wanted_alarms
    try:
        wait_for("the whole lake", lambda: files(tmp_path / "live", until).keys() >= wanted.keys())
        wait_for("all alarms", lambda: len(alarms(brokers, f"same.{job}.live.alarms", until)) >= len(wanted_alarms))
    finally:
        standing = as_json(tocsin("status", job, "--json"))
    tocsin("stop", job, "--discard")
    for parallelism in (1, 2):
        run = f"replayed-{parallelism}"
        tocsin("submit", f"jobs/{job}.yaml", "--bounded", "--parallelism", parallelism, **variables(run))
    for run in ("live", "replayed-1", "replayed-2"):
        assert files(tmp_path / run, until) == wanted, run
        assert alarms(brokers, f"same.{job}.{run}.alarms", until) == wanted_alarms, run
    assert standing["balances"]
    assert standing["ledger"]["ReadTelemetry"] == local["steps"]["ReadTelemetry"]
