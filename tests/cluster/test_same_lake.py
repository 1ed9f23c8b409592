"""Each job of `jobs/` has equal results locally and on Flink, live or replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from pyarrow import csv

from infra.cluster.settings import ROOT, Cluster
from tests.support.cluster import Run, as_json, messages, wait_for
from tocsin.cli.publishing import Publisher
from tocsin.kafka.connection import Kafka
from tocsin.lake.datasets import files_of
from tocsin.lake.footers import footer
from tocsin.lake.row_order import rows_digest
from tocsin.simulator.city import City
from tocsin.simulator.systems import SYSTEMS, system_of

HOUR = 3_600_000_000
MINUTE = 60_000_000
AIR = City(system="air", sensors=12, duration=HOUR // 2, anomalies=4)
CLIMATE = City(system="climate", sensors=12, duration=2 * HOUR, cadence=MINUTE, anomalies=4)
TRAFFIC = City(
    system="traffic", sensors=32, duration=2 * HOUR, cadence=MINUTE // 2, anomalies=6, late=0.005
)
# The cities that each job reads, by the variable of the topic.
CITIES: dict[str, dict[str, City]] = {
    "air_quality": {"AIR_TOPIC": AIR},
    "climate": {"CLIMATE_TOPIC": CLIMATE},
    "connected_locks": {
        "LOCK_TOPIC": City(system="locks", sensors=40, duration=2 * HOUR, anomalies=9, late=0.005)
    },
    "traffic": {"TRAFFIC_TOPIC": TRAFFIC},
    "surveillance": {
        "CAMERA_TOPIC": City(
            system="cameras", sensors=40, duration=2 * HOUR, cadence=MINUTE, anomalies=8, late=0.005
        )
    },
    "network_links": {
        "COUNTER_TOPIC": City(
            system="links", sensors=16, duration=2 * HOUR, cadence=MINUTE, anomalies=6, late=0.005
        ),
        "PROBE_TOPIC": City(
            system="probes", sensors=16, duration=2 * HOUR, cadence=MINUTE, anomalies=6, late=0.005
        ),
    },
    "city_overview": {"TRAFFIC_TOPIC": TRAFFIC, "CLIMATE_TOPIC": CLIMATE, "AIR_TOPIC": AIR},
}
# `make test-systems` runs these; `make test-cluster` the others.
LONG = ("connected_locks", "traffic", "surveillance", "network_links", "city_overview")
REGISTRIES = {
    "air": "AIR_REGISTRY",
    "climate": "CLIMATE_REGISTRY",
    "locks": "LOCK_REGISTRY",
    "traffic": "TRAFFIC_REGISTRY",
    "cameras": "CAMERA_REGISTRY",
    "links": "LINK_REGISTRY",
    "probes": "LINK_REGISTRY",
}
# Readings this much later let a live job complete all earlier windows.
AFTER = 6 * HOUR
PATIENCE = 240


def closing(city: City) -> City:
    return replace(city, start=city.start + AFTER, duration=max(city.cadence, MINUTE), anomalies=0)


def fill(brokers: str, topic: str, city: City) -> None:
    simulated = system_of(city)
    schema = (ROOT / "schemas" / SYSTEMS[city.system].schema).read_text()
    publisher = Publisher(Kafka(brokers=brokers), topic, schema, 0, key=simulated.key)
    for batch in simulated.readings():
        publisher.publish(batch)
    publisher.flush()


def files(lake: Path, before: int) -> dict[str, str]:
    """Digests of rows by dataset and unit, for units that end before a time (microseconds)."""
    by_unit: dict[str, list[Path]] = {}
    for file in files_of(lake) if lake.is_dir() else []:
        head = footer(file)
        if int(head["tocsin.until"]) <= before:
            dataset = file.relative_to(lake).parts[0]
            by_unit.setdefault(f"{dataset}/{head['tocsin.unit']}", []).append(file)
    return {unit: rows_digest(files) for unit, files in by_unit.items()}


def ends(file: Path) -> int:
    return int(footer(file)["tocsin.until"])


def alarms(brokers: str, topic: str, before: int) -> list[tuple[str, bytes]]:
    """The id and text of alarm events before a time (microseconds)."""
    found = []
    for message in messages(brokers, topic):
        headers = {name: value.decode() for name, value in message.headers()}
        if headers["ce_time"] < _iso(before):
            found.append((headers["ce_id"], message.value()))
    return sorted(found)


def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def sources(job: str) -> list[str]:
    steps = yaml.safe_load((ROOT / "jobs" / f"{job}.yaml").read_text())["pipeline"]["transforms"]
    return [step.get("name", step["type"]) for step in steps if step["type"] == "ReadTelemetry"]


@pytest.mark.parametrize(
    "job", [pytest.param(job, marks=pytest.mark.slow) if job in LONG else job for job in CITIES]
)
def test_the_lake_on_flink_equals_the_local_one(
    job: str, cluster: Cluster, tocsin: Run, topics: Callable[..., None], tmp_path: Path
) -> None:
    brokers, given = cluster.at("kafka"), dict[str, str]()
    for variable, city in CITIES[job].items():
        given |= {
            variable: f"same.{job}.{city.system}",
            REGISTRIES[city.system]: str(tmp_path / f"{city.system}.csv"),
        }
        topics(given[variable])
        csv.write_csv(system_of(city).registry(), given[REGISTRIES[city.system]])
    until = min(city.start for city in CITIES[job].values()) + AFTER - HOUR

    def variables(run: str, **more: str) -> dict[str, str]:
        topics(f"same.{job}.{run}.alarms", f"same.{job}.{run}.rejects")
        return {
            **given,
            "LAKE": str(tmp_path / run),
            "ALARM_TOPIC": f"same.{job}.{run}.alarms",
            "REJECT_TOPIC": f"same.{job}.{run}.rejects",
            **more,
        }

    # Live first: readings arrive while the job runs.
    archive = str(tmp_path / "archive") if job != "city_overview" else ""
    tocsin("submit", f"jobs/{job}.yaml", "--parallelism", 2, **variables("live", ARCHIVE=archive))
    for made in (lambda city: city, closing):
        for variable, city in CITIES[job].items():
            fill(brokers, given[variable], made(city))
    local = as_json(tocsin("run", f"jobs/{job}.yaml", "--json", **variables("local")))
    assert local["balances"]
    wanted, wanted_alarms = (
        files(tmp_path / "local", until),
        alarms(brokers, f"same.{job}.local.alarms", until),
    )
    assert len(wanted) > 2
    assert wanted_alarms or job == "city_overview"
    try:
        wait_for(
            "the whole lake",
            lambda: files(tmp_path / "live", until).keys() >= wanted.keys(),
            PATIENCE,
        )
        wait_for(
            "all alarms",
            lambda: len(alarms(brokers, f"same.{job}.live.alarms", until)) >= len(wanted_alarms),
            PATIENCE,
        )
    finally:
        status = as_json(tocsin("status", job, "--json"))
    tocsin("stop", job, "--discard")
    for parallelism in (1, 2):
        run = f"replayed-{parallelism}"
        tocsin(
            "submit",
            f"jobs/{job}.yaml",
            "--bounded",
            "--parallelism",
            parallelism,
            **variables(run),
        )
    runs = ["live", "replayed-1", "replayed-2"]
    if archive and job not in ("climate", "connected_locks"):
        # Backfill from the archive, locally and on the cluster. Then backfill over the live job's
        # lake, which writes nothing.
        for run, way in {"backfill": [], "backfill-2": ["--cluster", "--parallelism", "2"]}.items():
            tocsin(
                "backfill",
                f"jobs/{job}.yaml",
                "--archive",
                archive,
                "--messages",
                *way,
                **variables(run),
            )
            runs.append(run)
        mine = [file for file in files_of(tmp_path / "live") if ends(file) <= until]
        before = [file.stat().st_mtime_ns for file in mine]
        again = variables("again", LAKE=str(tmp_path / "live"))
        found = as_json(
            tocsin("backfill", f"jobs/{job}.yaml", "--archive", archive, "--json", **again)
        )
        assert [file.stat().st_mtime_ns for file in mine] == before
        assert sum(one["same"] for one in found["files"]) >= len(wanted)
    for run in runs:
        assert files(tmp_path / run, until) == wanted, run
        assert alarms(brokers, f"same.{job}.{run}.alarms", until) == wanted_alarms, run
    assert status["balances"]
    for source in sources(job):
        assert status["ledger"][source] == local["steps"][source], source
