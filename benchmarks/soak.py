"""`make soak`: does the memory of a job under a steady load stay flat?

Runs on a real cluster and writes docs/reports/soak.{json,md,svg}.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.measuring import children
from infra.cluster.control import down, rest, state, up
from infra.cluster.processes import forget
from infra.cluster.settings import ROOT, Cluster, versions
from tocsin.cli.publishing import Publisher
from tocsin.kafka.connection import Kafka
from tocsin.simulator.city import City, readings

SECOND = 1_000_000
TOPIC = "soak"
REPORTS = ROOT / "docs" / "reports"
# Seconds of warm-up, left out of the slopes.
WARM = 300


class Load(threading.Thread):
    """Readings of a city in real time: series = rate, one reading a second each."""

    def __init__(self, brokers: str, rate: int, seconds: int) -> None:
        super().__init__(daemon=True)
        self.brokers, self.rate, self.seconds = brokers, rate, seconds
        self.sent = 0
        self.behind = 0.0

    def run(self) -> None:
        """Send until the time is over."""
        metrics = len(City().measured())
        publisher = Publisher(
            Kafka(brokers=self.brokers), TOPIC, (ROOT / "schemas/air_reading.avsc").read_text(), 0
        )
        began = time.time()
        # Short blocks: readings to be sent later are not held in memory now.
        for second in range(0, self.seconds, 10):
            start = int((began + second) * SECOND)
            city = City(
                sensors=self.rate // metrics,
                start=start,
                duration=10 * SECOND,
                cadence=SECOND,
                anomalies=0,
                seed=7,
            )
            for batch in readings(city):
                for at in range(0, batch.num_rows, self.rate // 10):
                    part = batch.slice(at, self.rate // 10)
                    wanted = began + self.sent / self.rate
                    self.behind = max(time.time() - wanted, 0)
                    time.sleep(max(wanted - time.time(), 0))
                    self.sent += publisher.publish(part)
        publisher.flush()


def measures(cluster: Cluster, job: str) -> dict[str, float]:
    """The current sizes of processes and state in MiB."""
    checkpoints = rest(cluster, f"/jobs/{job}/checkpoints")
    last = checkpoints["latest"]["completed"]
    heap = "Status.JVM.Memory.Heap.Used"
    manager = rest(cluster, "/taskmanagers")["taskmanagers"][0]["id"]
    processes = state(cluster)["processes"]
    return {
        "checkpoint": last["state_size"] / 2**20,
        "checkpoint_seconds": last["end_to_end_duration"] / 1000,
        "failed_checkpoints": checkpoints["counts"]["failed"],
        "taskmanager_heap": float(
            rest(cluster, f"/taskmanagers/{manager}/metrics?get={heap}")[0]["value"]
        )
        / 2**20,
        "jobmanager_heap": float(rest(cluster, f"/jobmanager/metrics?get={heap}")[0]["value"])
        / 2**20,
        "taskmanager_rss": resident(processes["taskmanager"]["pid"]),
        "jobmanager_rss": resident(processes["jobmanager"]["pid"]),
        "workers_rss": sum(resident(pid) for pid in children(processes["workers"]["pid"])[1:]),
    }


def resident(pid: int) -> float:
    """Memory of a process, MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def command(cluster: Cluster, lake: Path, *arguments: object) -> str:
    """`tocsin …`."""
    environment = {**os.environ, **cluster.environment(), "SOAK_TOPIC": TOPIC, "LAKE": str(lake)}
    environment["TOCSIN_ALLOW_FOLDERS"] = str(lake)
    call = [sys.executable, "-m", "tocsin", *map(str, arguments)]
    found = subprocess.run(
        call, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=240, check=False
    )
    if found.returncode:
        raise RuntimeError(found.stdout + found.stderr)
    return found.stdout


def lag(status: dict[str, Any]) -> int:
    """The number of messages not read yet."""
    return sum(split["lag"] or 0 for split in status["splits"])


def soak(cluster: Cluster, rate: int, minutes: float) -> dict[str, Any]:
    """Run; return the series of measures and their summary."""
    up(cluster)
    admin = AdminClient({"bootstrap.servers": cluster.at("kafka"), "log_level": 0})
    for future in admin.create_topics(
        [NewTopic(name, 2, 1) for name in (TOPIC, f"{TOPIC}.alarms", f"{TOPIC}.rejects")]
    ).values():
        future.result(30)
    lake = cluster.folder / "lake"
    job = json.loads(command(cluster, lake, "submit", "benchmarks/jobs/soak.yaml", "--json"))["id"]
    load = Load(cluster.at("kafka"), rate, int(minutes * 60))
    load.start()
    began = time.time()
    series: list[dict[str, Any]] = []
    while load.is_alive():
        time.sleep(10)
        if not load.is_alive():
            break
        status = (
            json.loads(command(cluster, lake, "status", "soak", "--json"))
            if len(series) % 6 == 0
            else None
        )
        found = {
            "seconds": time.time() - began,
            **measures(cluster, job),
            "sent": load.sent,
            "load_behind": load.behind,
        }
        if status:
            found |= {
                "lag": lag(status),
                "watermark_age": time.time() - status["watermark"] / 1000,
                "restarts": status["restarts"],
            }
        series.append(found)
        print({name: round(value, 1) for name, value in found.items()}, flush=True)
    return {
        "rate": rate,
        "minutes": minutes,
        "sent": load.sent,
        "series": series,
        "slopes": slopes(series),
    }


def slopes(series: list[dict[str, float]]) -> dict[str, float]:
    """MiB an hour, by least squares, after the warm-up."""
    late = warmed_up(series)
    hours = np.array([one["seconds"] for one in late]) / 3600
    return {name: float(np.polyfit(hours, [one[name] for one in late], 1)[0]) for name in HELD}


def warmed_up(series: list[dict[str, float]]) -> list[dict[str, float]]:
    """The measures after the warm-up."""
    return [one for one in series if one["seconds"] > min(WARM, series[-1]["seconds"] / 3)]


HELD = {
    "checkpoint": "checkpoint, all of it",
    "taskmanager_heap": "TaskManager, heap in use",
    "jobmanager_heap": "JobManager, heap in use",
    "taskmanager_rss": "TaskManager, resident",
    "jobmanager_rss": "JobManager, resident",
    "workers_rss": "Python workers, resident",
}


def page(report: dict[str, Any], cluster: Cluster) -> str:
    """The report for people, as Markdown."""
    series = report["series"]
    warm = warmed_up(series)
    statuses = [one for one in series if "lag" in one]
    parts = [warm[i * len(warm) // 3 : (i + 1) * len(warm) // 3] for i in range(3)]
    rows = ""
    for name, text in HELD.items():
        means = " | ".join(f"{np.mean([one[name] for one in part]):,.1f}" for part in parts)
        rows += f"| {text} | {means} | {report['slopes'][name]:+,.1f} |\n"
    used = versions()
    kafka, flink, beam = (used[f"{name}_VERSION"] for name in ("KAFKA", "FLINK", "BEAM_RUNNER"))
    rate, first = f"{report['rate']:,}", warm[0]["seconds"] / 60
    lag_most = max(one["lag"] for one in statuses)
    age, restarts = max(one["watermark_age"] for one in statuses), statuses[-1]["restarts"]
    failed = (
        series[-1]["failed_checkpoints"] - series[min(5, len(series) - 1)]["failed_checkpoints"]
    )
    slowest = max(one["checkpoint_seconds"] for one in warm)
    return f"""# Soak

Measured by `make soak`: {rate} records/s for {report["minutes"]:g} minutes
({report["sent"]:,} readings), one reading a second from each of {rate} series, through
[benchmarks/jobs/soak.yaml](../../benchmarks/jobs/soak.yaml). Parallelism 1, state backend
{cluster.state_backend}, checkpoints each second, on {os.cpu_count()} cores that also ran the broker
and the load. Kafka {kafka}, Flink {flink}, Beam's runner {beam} with the class of infra/runner.

![What the processes hold](soak.svg)

MiB: the means of the thirds of the time after {first:.0f} minutes of warm-up, and the slope by
least squares:

| | first third | second | last | MiB an hour |
|---|---|---|---|---|
{rows}
Lag: at most {lag_most:,} records. Watermark: at most {age:.1f} s old (the job's out-of-orderness
is 5 s). Restarts: {restarts}. Failed checkpoints after the first minute: {failed:.0f}.
Checkpoints took at most {slowest:.1f} s.
"""


def draw(report: dict[str, Any], path: Path) -> None:
    """The plot."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "tocsin"
    from matplotlib import pyplot as plt

    figure, panes = plt.subplots(3, 1, figsize=(8, 8), sharex=True)
    minutes = [one["seconds"] / 60 for one in report["series"]]
    for pane, names in zip(
        panes,
        (
            ("taskmanager_rss", "workers_rss", "jobmanager_rss", "taskmanager_heap"),
            ("checkpoint",),
            ("lag",),
        ),
        strict=True,
    ):
        for name in names:
            points = [
                (at, one[name])
                for at, one in zip(minutes, report["series"], strict=True)
                if name in one
            ]
            pane.plot(*zip(*points, strict=True), label=name.replace("_", " "))
        pane.set_ylim(bottom=0)
        pane.set_ylabel("records" if "lag" in names else "MiB")
        pane.legend(loc="upper left")
        pane.grid(alpha=0.3)
    panes[-1].set_xlabel("minutes")
    panes[0].set_title(f"{report['rate']:,} records/s for {report['minutes']:.0f} minutes")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Run and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--rate", type=int, default=20_000, help="records a second")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--state-backend", choices=("hashmap", "rocksdb"), default="hashmap")
    parser.add_argument("--report", type=Path, default=REPORTS)
    options = parser.parse_args()
    cluster = Cluster(folder=ROOT / ".soak", offset=8000, state_backend=options.state_backend)
    forget(cluster)
    try:
        report = soak(cluster, options.rate, options.minutes)
    finally:
        down(cluster)
    options.report.mkdir(parents=True, exist_ok=True)
    (options.report / "soak.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (options.report / "soak.md").write_text(page(report, cluster), "utf-8")
    draw(report, options.report / "soak.svg")
    print(json.dumps(report["slopes"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
