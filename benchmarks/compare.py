"""Runs both contenders in turn on the topic `bench`, checks that they agree, and prints a Markdown table."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import confluent_kafka
import duckdb


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds of wall time and of processor time, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(work: Path, runs: int) -> None:
    """Alternate, compare, print."""
    brokers = os.environ["TOCSIN_BROKERS"]
    consumer = confluent_kafka.Consumer({"bootstrap.servers": brokers, "group.id": "count"})
    partitions = consumer.list_topics("bench", timeout=10).topics["bench"].partitions
    total = sum(consumer.get_watermark_offsets(confluent_kafka.TopicPartition("bench", p), timeout=10)[1] for p in partitions)
    answer = work / "answer.txt"
    tocsin = [sys.executable, "-m", "tocsin", "run", "benchmarks/minute.yaml"]
    plain = [
        sys.executable,
        "benchmarks/per_record.py",
        brokers,
        "bench",
        "schemas/air_reading.avsc",
        str(len(partitions)),
        str(answer),
    ]
    found: dict[str, list[tuple[float, float]]] = {"tocsin run": [], "per-record Beam": []}
    for _ in range(runs):
        found["tocsin run"].append(timed(tocsin))
        found["per-record Beam"].append(timed(plain))
    lake = f"{os.environ['LAKE']}/minute/**/*.parquet"
    ours = duckdb.execute(f"select count(*), sum(readings)::bigint from read_parquet('{lake}') where readings > 0").fetchone()
    theirs = tuple(int(part) for part in answer.read_text().split())
    print(f"{total:,} messages, {len(partitions)} partitions; answers (windows, readings): {ours} and {theirs}")
    print("\n| contender | wall s (median, spread) | CPU s | records/s | records/CPU-s |\n|---|---|---|---|---|")
    for name, times in found.items():
        walls, cpus = zip(*times, strict=True)
        wall, cpu = statistics.median(walls), statistics.median(cpus)
        print(
            f"| {name} | {wall:.1f} ({min(walls):.1f}-{max(walls):.1f}) | {cpu:.1f} | {total / wall:,.0f} | {total / cpu:,.0f} |"
        )
    if ours != theirs:
        sys.exit("the answers differ")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
