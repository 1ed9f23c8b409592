"""The seven jobs on small simulated cities, and what they wrote: for comparisons of engines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import yaml

from infra.cluster.settings import ROOT
from tests.support.cluster import messages
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
REGISTRIES = {
    "air": "AIR_REGISTRY",
    "climate": "CLIMATE_REGISTRY",
    "locks": "LOCK_REGISTRY",
    "traffic": "TRAFFIC_REGISTRY",
    "cameras": "CAMERA_REGISTRY",
    "links": "LINK_REGISTRY",
    "probes": "LINK_REGISTRY",
}


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
