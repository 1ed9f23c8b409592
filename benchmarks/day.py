"""A day of a city of 20,000 sensors through its six jobs: `python -m benchmarks.day`.

Every system is simulated with duplicates, late bursts, changed units, wrong clocks, jumping
positions and an outage. It is written like a topic of four partitions: one file each, in order of
arrival. Then each job runs on it in a process of its own. The page shows the fate of every reading,
the labelled events that were found, and the cost.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from tocsin.compiler.job import Job, Step
from tocsin.kernels.aggregation.grouping import hash_rows
from tocsin.kernels.batch import micros, timestamps
from tocsin.parts.registry import load, step_types
from tocsin.simulator.city import City
from tocsin.simulator.systems import SYSTEMS, system_of

ROOT = Path(__file__).parents[1]
HOUR = 3_600_000_000
PARTITIONS = 4
OUTAGE = (5 * HOUR, 5 * HOUR + HOUR // 6)
BURST = (14 * HOUR, 14 * HOUR + HOUR // 3)


@dataclass(frozen=True)
class Feed:
    """A system of the day: sensors, microseconds between two readings, anomalies."""

    sensors: int
    cadence: int
    anomalies: int


FEEDS = {
    "air": Feed(4_000, 300_000_000, 60),
    "climate": Feed(3_000, 600_000_000, 30),
    "traffic": Feed(2_000, 30_000_000, 105),
    "cameras": Feed(3_000, 30_000_000, 140),
    "locks": Feed(6_500, 60_000_000, 180),
    "links": Feed(750, 60_000_000, 40),
    "probes": Feed(750, 10_000_000, 80),
}
# Job; systems by the step that reads them; the variable of its registry.
JOBS: dict[str, tuple[dict[str, str], str]] = {
    "air_quality": ({"ReadTelemetry": "air"}, "AIR_REGISTRY"),
    "climate": ({"ReadTelemetry": "climate"}, "CLIMATE_REGISTRY"),
    "traffic": ({"ReadTelemetry": "traffic"}, "TRAFFIC_REGISTRY"),
    "surveillance": ({"ReadTelemetry": "cameras"}, "CAMERA_REGISTRY"),
    "connected_locks": ({"ReadTelemetry": "locks"}, "LOCK_REGISTRY"),
    "network_links": ({"Counters": "links", "Probes": "probes"}, "LINK_REGISTRY"),
}


def write_feed(system: str, feed: Feed, share: float, folder: Path) -> int:
    """Write a system's day as files, with labels and registry; return the number of readings."""
    definition = SYSTEMS[system]
    sensors = max(round(feed.sensors * share), 32)
    city = City(
        system=system,
        sensors=sensors,
        duration=24 * HOUR,
        cadence=feed.cadence,
        anomalies=max(round(feed.anomalies * share), 7),
        **definition.settings,
    )
    simulated = system_of(city)
    rows = troubled(pa.Table.from_batches(list(simulated.readings())), simulated.key, city)
    owner = hash_rows([rows.column(simulated.key).combine_chunks()]) % np.uint64(PARTITIONS)
    folder.mkdir(parents=True)
    for partition in range(PARTITIONS):
        parquet.write_table(
            rows.filter(pa.array(owner == partition)),
            folder / f"{partition}.parquet",
            compression="zstd",
        )
    parquet.write_table(simulated.labels(), folder / "labels.pq")
    csv.write_csv(simulated.registry(), folder / "registry.csv")
    return int(rows.num_rows)


def troubled(rows: pa.Table, key: str, city: City) -> pa.Table:
    """The day with a network outage, late delivery, wrong clocks and a changed unit."""
    random = city.random(9)
    observed, received = micros(rows.column("observed_at")), micros(rows.column("received_at"))
    since = received - city.start
    kept = (since < OUTAGE[0]) | (since >= OUTAGE[1])
    held = (
        (since >= BURST[0])
        & (since < BURST[1])
        & (hash_rows([rows.column(key).combine_chunks()]) % np.uint64(20) == 0)
    )
    received = np.where(held, city.start + BURST[1] + (since - BURST[0]) // 1000, received)
    luck = random.random(len(observed))
    observed = np.where(
        luck < 2e-5,
        observed - city.start,
        np.where(luck > 1 - 2e-5, observed + 24 * HOUR, observed),
    )
    for name, values in (("observed_at", observed), ("received_at", received)):
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), timestamps(values))
    if "metric" in rows.schema.names:
        # A few thermometers change to degrees Fahrenheit at noon.
        warm = (
            rows.column("metric").combine_chunks().cast(pa.string()).to_numpy(zero_copy_only=False)
            == "temperature"
        )
        some = hash_rows([rows.column(key).combine_chunks()]) % np.uint64(500) == 0
        changed = warm & some & (observed - city.start > 12 * HOUR)
        value = rows.column("value").combine_chunks().to_numpy(zero_copy_only=False)
        at = rows.schema.get_field_index("value")
        rows = rows.set_column(
            at,
            rows.schema.field(at),
            pa.array(np.where(changed, value * 1.8 + 32, value), from_pandas=True),
        )
    rows = rows.filter(pa.array(kept))
    order = np.argsort(received[kept], kind="stable")
    return rows.take(pa.array(order)).combine_chunks()


def on_files(job: Job, folders: dict[str, Path], lake: Path) -> Job:
    """The job with files in place of its topics; alarms and rejects become datasets."""
    return replace(job, steps=[_on_files(step, folders, lake) for step in job.steps])


def _on_files(step: Step, folders: dict[str, Path], lake: Path) -> Step:
    if step.type == "ReadTelemetry":
        assert step.part is not None
        settings = step.part.model_dump(by_alias=True)
        config = {
            name: settings[name]
            for name in ("event_time", "out_of_orderness", "allowed_lateness", "max_future")
        }
        config |= {
            "files": f"{folders[step.name]}/*.parquet",
            "schema": settings["schema"],
            "received": "received_at",
        }
        return _as(step, "ReadFiles", config)
    if step.type in ("WriteAlarms", "WriteRejects"):
        # Two steps that write one dataset would replace each other's files.
        kind = "alarms" if step.type == "WriteAlarms" else "rejects"
        config = {"lake": str(lake), "dataset": f"{kind}_{step.name.lower()}", "span": "1 h"}
        return _as(step, "WriteToLake", config)
    return step


def _as(step: Step, kind: str, config: dict[str, Any]) -> Step:
    part = load(step_types()[kind]).model_validate(config, context={"folders": [str(ROOT)]})
    return replace(step, type=kind, config=config, part=part)


def run_job(name: str, folder: Path) -> None:
    """Run one job on its files in this process; print its figures as JSON."""
    from tocsin.compiler.checker import check_file
    from tocsin.engines.beam.running import quiet_beam, run_bounded
    from tocsin.lake.catalog import catalog

    quiet_beam()
    systems, registry = JOBS[name]
    lake = folder / "lakes" / name
    os.environ |= {"LAKE": str(lake), "AIR_CADENCE": "5 min", "AIR_SILENCE": "16 min"}
    os.environ |= {"CLIMATE_SILENCE": "35 min", "CLIMATE_FEED_SILENCE": "25 min"}
    os.environ[registry] = str(folder / next(iter(systems.values())) / "registry.csv")
    job, _ = check_file(str(ROOT / f"jobs/{name}.yaml"), trusted=True)
    job = on_files(job, {step: folder / system for step, system in systems.items()}, lake)
    started = time.monotonic()
    ledger = run_bounded(job)
    wall = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sources = [ledger.steps[step] for step in systems]
    aggregates = sum(
        one["rows"] for one in catalog(lake) if "window_start" in one["columns"] and one["keys"]
    )
    firsts = ("Validate", "ValidCounters", "ValidProbes", "Deduplicate", "Polls", "Arrived")
    first_counts = [count for step, count in ledger.steps.items() if step in firsts]
    figures = {
        "job": name,
        "records": sum(one.read for one in sources),
        "late": sum(one.late for one in first_counts),
        "rejected": sum(one.rejected for one in [*sources, *first_counts]),
        "duplicates": sum(
            one.filtered
            for step, one in ledger.steps.items()
            if step in ("Deduplicate", "Polls", "Arrived")
        ),
        "flagged": _flagged(lake),
        "aggregates": aggregates,
        "balances": ledger.balances,
        "wall": wall,
        "peak": peak,
        **alarms_found(lake, [folder / system / "labels.pq" for system in systems.values()]),
    }
    print(json.dumps(figures))


def _flagged(lake: Path) -> int:
    """The number of windows with a suspect or failed reading."""
    from tocsin.lake.query import open_lake

    connection, datasets = open_lake(lake)
    found = 0
    for one in datasets:
        columns = [row[0] for row in connection.execute(f'describe "{one.name}"').fetchall()]
        if {"window_start", "flag", "window_end"} <= set(columns) and not one.name.startswith(
            "alarms_"
        ):
            found += int(
                connection.execute(
                    f'select count(*) from "{one.name}" where flag in (3, 4)'
                ).fetchone()[0]
            )
    return found


def alarms_found(lake: Path, labels: list[Path]) -> dict[str, Any]:
    """Labelled events with an alarm, by kind; alarms that belong to no label, by rule."""
    from tocsin.lake.query import open_lake

    connection, datasets = open_lake(lake)
    names = [one.name for one in datasets if one.name.startswith("alarms_")]
    raised: list[Any] = []
    for name in names:
        query = f"select rule, key, started_at from {name}_all where event = 'raise' order by all"
        raised += connection.execute(query).fetchall()
    by_who: dict[str, list[tuple[int, str, Any]]] = {}
    for at, (rule, key, start) in enumerate(raised):
        for part in key.split(","):
            by_who.setdefault(part.partition("=")[2], []).append((at, rule, start))
    found, every, used = Counter[str](), Counter[str](), set[int]()
    for file in labels:
        for label in parquet.read_table(file).to_pylist():
            first, last = (
                label["start"] - timedelta(minutes=1),
                label["end"] + timedelta(minutes=30),
            )
            hits = [
                at for at, _, start in by_who.get(label["sensor_id"], []) if first <= start <= last
            ]
            every[label["kind"]] += 1
            found[label["kind"]] += bool(hits)
            used |= set(hits)
    others = Counter(
        rule.partition("/")[2] or rule for at, (rule, _, _) in enumerate(raised) if at not in used
    )
    return {
        "found": {kind: [found[kind], every[kind]] for kind in every},
        "others": dict(others.most_common()),
    }


def page(rows: list[dict[str, Any]], sensors: int, made: float) -> str:
    """The report."""
    lines = [
        "# A day of the city",
        "",
        f"{sensors:,} sensors of six systems for a simulated day, with duplicates, late bursts, an",
        "outage, wrong clocks, changed units and positions that jump. Each system is stored as",
        "four partitions of a topic; each job runs in a process of its own on the local runner.",
        f"Measured by `python -m benchmarks.day` on {os.cpu_count()} cores; the simulation took",
        f"{made:.0f} s.",
        "",
        "The outage (ten minutes of a whole system) and the late burst (a twentieth of the",
        "sensors, silent for twenty minutes) have no label. The silence alarms that they cause",
        "count as alarms that belong to no label.",
        "",
        (
            "| job | records | late | rejected | duplicates | flagged windows | aggregates "
            "| ledger | wall s | rows/s | peak MiB |"
        ),
        "|--|--:|--:|--:|--:|--:|--:|--|--:|--:|--:|",
    ]
    for row in rows:
        counts = (
            f"{row[name]:,}"
            for name in ("records", "late", "rejected", "duplicates", "flagged", "aggregates")
        )
        balance = "balances" if row["balances"] else "**does not balance**"
        cost = (f"{row['wall']:.0f}", f"{row['records'] / row['wall']:,.0f}", f"{row['peak']:,.0f}")
        lines.append(f"| {' | '.join([row['job'], *counts, balance, *cost])} |")
    lines += [
        "",
        "## Alarms",
        "",
        "| job | found of labelled, by kind | alarms that belong to no label, by rule |",
        "|--|--|--|",
    ]
    for row in rows:
        kinds = ", ".join(f"{kind} {hit} of {all_}" for kind, (hit, all_) in row["found"].items())
        others = ", ".join(f"{rule} {count:,}" for rule, count in row["others"].items()) or "none"
        lines.append(f"| {row['job']} | {kinds} | {others} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Simulate, run, evaluate, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/tocsin-day"))
    parser.add_argument("--share", type=float, default=1.0, help="share of the sensors")
    parser.add_argument("--page", type=Path)
    parser.add_argument(
        "--job", help="run only this job, on existing files (the command calls itself)"
    )
    options = parser.parse_args()
    if options.job:
        run_job(options.job, options.folder)
        return
    folder = options.folder / time.strftime("%Y%m%dT%H%M%S")
    started = time.monotonic()
    for system, feed in FEEDS.items():
        count = write_feed(system, feed, options.share, folder / system)
        print(f"{system}: {count:,} readings", file=sys.stderr)
    made = time.monotonic() - started
    rows = []
    for job in JOBS:
        command = [sys.executable, "-m", "benchmarks.day", "--folder", str(folder), "--job", job]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
        rows.append(json.loads(done.stdout.strip().splitlines()[-1]))
        print(json.dumps(rows[-1]), file=sys.stderr)
    sensors = sum(max(round(feed.sensors * options.share), 32) for feed in FEEDS.values())
    text = page(rows, sensors, made)
    if options.page:
        options.page.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
