"""A backfill from the archive gives the rows and alarms of the live job, including late rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import csv

from tocsin.cli.publishing import Publisher
from tocsin.compiler.backfill_job import from_archive, without_messages
from tocsin.compiler.checker import check_file
from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka
from tocsin.lake.query import open_lake
from tocsin.simulator.city import City
from tocsin.simulator.systems import SYSTEMS, system_of

ROOT = Path(__file__).parents[2]
HOUR = 3_600_000_000
# Each job with its systems and their topics, and the variable of its registry.
JOBS: dict[str, tuple[dict[str, str], str]] = {
    "air_quality": ({"air": "city.air"}, "AIR_REGISTRY"),
    "climate": ({"climate": "city.climate"}, "CLIMATE_REGISTRY"),
    "connected_locks": ({"locks": "city.locks"}, "LOCK_REGISTRY"),
    "traffic": ({"traffic": "city.traffic"}, "TRAFFIC_REGISTRY"),
    "surveillance": ({"cameras": "city.cameras"}, "CAMERA_REGISTRY"),
    "network_links": (
        {"links": "city.link-counters", "probes": "city.link-probes"},
        "LINK_REGISTRY",
    ),
}
SIZES = {
    "air": 6,
    "climate": 6,
    "locks": 40,
    "traffic": 32,
    "cameras": 24,
    "links": 12,
    "probes": 12,
}


def city(system: str) -> City:
    settings = {**SYSTEMS[system].settings, "late": 0.01, "duplicated": 0.01}
    cadence = 30_000_000 if system == "traffic" else 60_000_000
    return City(
        system=system,
        sensors=SIZES[system],
        duration=HOUR * 3 // 2,
        cadence=cadence,
        anomalies=3,
        **settings,
    )


def rows_of(lake: Path) -> dict[str, list[Any]]:
    """All rows and revisions of every dataset except the archive."""
    connection, datasets = open_lake(lake)
    found = {}
    for dataset in datasets:
        if not dataset.name.startswith("raw_"):
            found[dataset.name] = sorted(
                connection.execute(f"select * from {dataset.name}_all").fetchall(), key=str
            )
    return found


def alarms_of(messages: list[Any]) -> list[str]:
    return sorted(
        json.dumps(json.loads(message.value())["data"], sort_keys=True) for message in messages
    )


@pytest.mark.parametrize("job", JOBS)
def test_a_backfill_from_the_archive_equals_the_live_job(
    job: str, kafka: Any, receive: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tocsin.engines.beam.running import run_bounded

    systems, registry = JOBS[job]
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.setenv("AIR_CADENCE", "1 min")
    sent = 0
    for system, topic in systems.items():
        simulated = system_of(city(system))
        schema = (ROOT / "schemas" / SYSTEMS[system].schema).read_text()
        publisher = Publisher(Kafka(), topic, schema, 0, key=simulated.key)
        sent += sum(publisher.publish(batch) for batch in simulated.readings())
        publisher.flush()
        kafka.ensure_whole(topic)
        csv.write_csv(simulated.registry(), tmp_path / "registry.csv")
        monkeypatch.setenv(registry, str(tmp_path / "registry.csv"))
    kafka.create("city.alarms")
    kafka.create("again.alarms")
    ledger = run_bounded(check_file(f"jobs/{job}.yaml")[0])
    assert ledger.balances
    assert (
        sum(count.kept for name, count in ledger.steps.items() if name.endswith(" (archive)"))
        == sent
    )

    monkeypatch.setenv("LAKE", str(tmp_path / "again"))
    monkeypatch.setenv("ALARM_TOPIC", "again.alarms")
    again = run_bounded(from_archive(check_file(f"jobs/{job}.yaml")[0], str(tmp_path / "archive")))
    assert again.balances
    live, replayed = rows_of(tmp_path / "lake"), rows_of(tmp_path / "again")
    assert live.keys() == replayed.keys()
    assert sum(map(len, live.values())) > 100
    for dataset, rows in live.items():
        assert rows == replayed[dataset], (dataset, [d for d in live if live[d] != replayed[d]])
    assert sum(count.late for count in ledger.steps.values()) > 0
    assert alarms_of(receive("city.alarms")) == alarms_of(receive("again.alarms"))


def test_a_job_without_an_archive_is_rejected() -> None:
    job, _ = check_file(str(ROOT / "jobs/city_overview.yaml"))
    with pytest.raises(Failure, match="'Traffic' keeps no archive; give it"):
        from_archive(job, "nowhere")


def test_a_backfill_writes_no_alarm_and_no_reject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    job = without_messages(check_file("jobs/air_quality.yaml")[0])
    assert not [step for step in job.steps if step.type in ("WriteAlarms", "WriteRejects")]
    assert [step for step in job.steps if step.type == "WriteToLake"]
