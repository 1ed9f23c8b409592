"""The embedded engine compared with Beam's local runner, and live: `python -m benchmarks.embedded`.

    python -m benchmarks.embedded --works a3 e --turns 2      # both engines in turn, to the end
    python -m benchmarks.embedded --works e --live            # the same topic, live, small rounds
    python -m benchmarks.embedded --latency 60                # from a reading to its alarm, seconds

Processor time and peak memory are those of the process that runs the job: the broker's are left
out. A live run ends when it has read the topic.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks import latency
from benchmarks.topics import BROKER, CITY_REGISTRY, broker, create
from benchmarks.work import WORKS, Work
from infra.cluster.control import down
from infra.cluster.settings import ROOT

ROUND = 5_000
"""Rows of a live round."""


def main() -> None:
    """Run what the arguments ask for, and print a line for each run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedded")
    parser.add_argument("--works", nargs="*", default=[], choices=sorted(WORKS))
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--live", action="store_true", help="also live, in small rounds")
    parser.add_argument("--latency", type=int, default=0, help="seconds of readings")
    parser.add_argument("--rate", type=int, default=5_000, help="readings a second")
    asked = parser.parse_args()
    brokers = broker()
    try:
        for name in asked.works:
            WORKS[name].fill(brokers)
            compare(WORKS[name], brokers, asked.turns, asked.live)
        if asked.latency:
            measure_latency(brokers, asked.rate, asked.latency)
    finally:
        down(BROKER)


def compare(work: Work, brokers: str, turns: int, live: bool) -> None:
    """Print processor seconds, seconds and peak memory of each engine, and readings a second."""
    ways = {
        "embedded": ["-m", "tocsin", "run", work.job],
        "direct": ["-m", "tocsin", "run", work.job, "--runner", "direct"],
        **({"live": ["-m", "benchmarks.programs.live", work.job, str(ROUND)]} if live else {}),
    }
    found: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(turns):
        for way, command in ways.items():
            with _folder(work, brokers) as environment:
                used = _used([sys.executable, *command], environment)
            found.setdefault(way, []).append(used)
            print(f"{work.name} {way}: {used[0]:.1f} CPU-s, {used[1]:.1f} s, {used[2]:,.0f} MiB")
    for way, runs in found.items():
        cpu, wall, memory = (statistics.median(column) for column in zip(*runs, strict=True))
        rate = work.readings.messages * work.readings.each
        print(
            f"{work.name} {way}: {rate / cpu:,.0f} readings a CPU-second, "
            f"{rate / wall:,.0f} a second, {memory:,.0f} MiB"
        )


@contextmanager
def _folder(work: Work, brokers: str) -> Iterator[dict[str, str]]:
    """The environment of a run, and a folder for its lake that is deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    run = f"bench.embedded.{folder.name}"
    try:
        yield {
            **os.environ,
            "TOCSIN_BROKERS": brokers,
            "BENCH_TOPIC": work.topic,
            "AIR_TOPIC": work.topic,
            "LAKE": str(folder),
            "AIR_REGISTRY": str(CITY_REGISTRY),
            "ALARM_TOPIC": f"{run}.alarms",
            "REJECT_TOPIC": f"{run}.rejects",
            "TOCSIN_ALLOW_FOLDERS": f"{folder}:{CITY_REGISTRY.parent}",
        }
    finally:
        shutil.rmtree(folder)


def _used(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Processor seconds, seconds and peak memory (MiB) of a command. Raises if it fails."""
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError(said.decode()[-2000:])
    seconds = time.monotonic() - began
    return usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss / 1024


def measure_latency(brokers: str, rate: int, seconds: int) -> None:
    """Print percentiles of the time from a reading in Kafka to its alarm in Kafka."""
    create(brokers, latency.TOPIC, latency.PARTITIONS)
    for topic in latency.ALARMS.values():
        create(brokers, topic, 1)
    environment = {**os.environ, "TOCSIN_BROKERS": brokers, "BENCH_TOPIC": latency.TOPIC}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tocsin", "run", "benchmarks/jobs/latency.yaml"]
        process = subprocess.Popen(
            [*command, "--live", "--checkpoint", folder],
            cwd=ROOT,
            env={**environment, "LINGER": "20 ms"},
            stdout=subprocess.DEVNULL,
        )
        time.sleep(8)
        counts: multiprocessing.Queue[tuple[int, int]] = multiprocessing.Queue()
        whole = latency.WARM_UP + seconds
        sender = multiprocessing.Process(target=latency.send, args=(brokers, rate, whole, counts))
        began = time.time()
        sender.start()
        delays: dict[str, list[float]] = {kind: [] for kind in latency.ALARMS}
        for kind, moment, arrived in latency.listen(brokers, began + whole + 5):
            closes = moment + (latency.OUT_OF_ORDERNESS if kind == "windows" else 0)
            if closes > began + latency.WARM_UP:
                delays[kind].append((arrived - closes) * 1000)
        sent, expected = counts.get()
        sender.join()
        process.terminate()
        _, status, usage = os.wait4(process.pid, 0)
    cores = (usage.ru_utime + usage.ru_stime) / (time.time() - began)
    print(f"{sent:,} readings, {rate:,}/s, {cores:.2f} cores, exit {status}")
    for kind, found in delays.items():
        p50, p95, p99 = np.percentile(found, [50, 95, 99])
        due = f" of {expected} due" if kind == "readings" else ""
        print(f"{kind}: {len(found)} alarms{due}, p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms")


if __name__ == "__main__":
    main()
