"""`python -m benchmarks.pressure`: a job's memory under a backlog, a fast producer, a slow sink."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from confluent_kafka import Producer

from benchmarks.data import encoded, rows
from benchmarks.flink import counted, flink_cluster, running, submitted
from benchmarks.measuring import resident
from benchmarks.topics import BROKER, broker, create
from benchmarks.work import WORKS
from infra.cluster.control import state
from infra.cluster.settings import Cluster
from tests.faults.proxy import Proxy

mpl.use("agg")
import matplotlib.pyplot as plt

FAST, ALARMS = "bench.pressure", "bench.pressure.alarms"
PIECE = 5_000
TITLES = {
    "backlog": "a backlog of 12 million messages",
    "producer": "a producer that sends as fast as it can",
    "sink": "a sink that takes 40 kB a second, every reading an alarm",
}


def flood(brokers: str, seconds: float, sent: Any) -> None:
    """Sends current readings as fast as one process can. sent: how many so far."""
    producer = Producer(
        {"bootstrap.servers": brokers, "linger.ms": 20, "compression.type": "lz4", "log_level": 0}
    )
    until, number = time.time() + seconds, 0
    while time.time() < until:
        series = np.arange(number, number + PIECE) % 40_000
        times = np.full(PIECE, int(time.time() * 1000), np.int64)
        messages = rows(encoded(series // 4, series % 4, times, np.full(PIECE, 1.0)))
        for partition, message in zip((series // 4 % 4).tolist(), messages, strict=True):
            while True:
                with suppress(BufferError):
                    producer.produce(FAST, message, partition=partition)
                    break
                producer.poll(0.1)
        producer.poll(0)
        number += PIECE
        sent.value = number
    producer.flush()


def watch(cluster: Cluster, seconds: float, sent: Any, until_all: bool) -> list[dict[str, float]]:
    """Each second: memory in MiB, messages read and sent. until_all: end when all are read."""
    known = state(cluster)["processes"]
    began, series = time.time(), []
    while time.time() - began < seconds:
        time.sleep(1)
        read = counted(cluster, "ReadTelemetry", "read")
        series.append(
            {
                "seconds": time.time() - began,
                "taskmanager": resident([known["taskmanager"]["pid"]]),
                "workers": resident([known["workers"]["pid"]]),
                "read": read,
                "sent": sent.value if hasattr(sent, "value") else sent,
            }
        )
        if until_all and read >= series[-1]["sent"]:
            break
    return series


def backlog(cluster: Cluster, brokers: str, seconds: float) -> list[dict[str, float]]:
    """The whole of work (a): 12 million messages."""
    work = WORKS["a12"]
    work.fill(brokers)
    with submitted(cluster, work.job, TOCSIN_BROKERS=brokers, BENCH_TOPIC=work.topic):
        return watch(cluster, max(seconds, 300), work.readings.messages, True)


def producer(cluster: Cluster, brokers: str, seconds: float) -> list[dict[str, float]]:
    """Readings arrive faster than the job reads them, for half of the time."""
    create(brokers, FAST, 4)
    sent = multiprocessing.Value("q", 0)
    with submitted(
        cluster, "benchmarks/jobs/tumbling.yaml", TOCSIN_BROKERS=brokers, BENCH_TOPIC=FAST
    ):
        sender = multiprocessing.Process(target=flood, args=(brokers, seconds / 2, sent))
        sender.start()
        series = watch(cluster, seconds, sent, False)
        sender.join()
    return series


def sink(cluster: Cluster, brokers: str, seconds: float) -> list[dict[str, float]]:
    """Alarms pass a connection that is slow for half of the time."""
    create(brokers, ALARMS, 1)
    proxy = Proxy(BROKER.port("kafka_proxy"), BROKER.port("kafka_proxied"))
    slow = f"127.0.0.1:{BROKER.port('kafka_proxy')}"
    work = WORKS["a03"]
    work.fill(brokers)
    proxy.mode = "slow"
    environment = {"TOCSIN_BROKERS": brokers, "BENCH_TOPIC": work.topic, "SLOW_BROKERS": slow}
    environment["TOCSIN_ALLOW_HOSTS"] = "127.0.0.1"
    with submitted(cluster, "benchmarks/jobs/slow_sink.yaml", **environment):
        series = watch(cluster, seconds / 2, work.readings.messages, False)
        proxy.mode = "open"
        after = watch(cluster, seconds, work.readings.messages, True)
    return series + [{**one, "seconds": one["seconds"] + series[-1]["seconds"]} for one in after]


def main() -> None:
    """Run each on a cluster; write a page and a plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pressure", description=__doc__)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--under", nargs="+", choices=TITLES, default=list(TITLES))
    parser.add_argument("--report", type=Path, default=Path("docs/reports/pressure.md"))
    options = parser.parse_args()
    brokers = broker()
    found = {}
    runs = {"backlog": backlog, "producer": producer, "sink": sink}
    for name in options.under:
        with running(flink_cluster("pressure")) as cluster:
            found[name] = runs[name](cluster, brokers, options.seconds)
        print(_row(name, found[name]), flush=True)
    command = " ".join(["python -m benchmarks.pressure", *sys.argv[1:]])
    rows = "\n".join(_row(name, series) for name, series in found.items())
    options.report.write_text(
        _PAGE.format(
            command=command, plot=options.report.with_suffix(".svg").name, head=_HEAD, rows=rows
        )
    )
    options.report.with_suffix(".json").write_text(json.dumps(found))
    plot(found, options.report.with_suffix(".svg"))


def _row(name: str, series: list[dict[str, float]]) -> str:
    third = len(series) // 3
    cells = [
        TITLES[name],
        f"{series[-1]['seconds']:.0f}",
        f"{series[-1]['sent']:,.0f}",
        f"{series[-1]['read']:,.0f}",
    ]
    cells.append(f"{max(one['sent'] - one['read'] for one in series):,.0f}")
    for process in ("workers", "taskmanager"):
        values = [one[process] for one in series]
        cells += [
            f"{max(values):,.0f}",
            f"{np.median(values[third : 2 * third] or values):,.0f}",
            f"{values[-1]:,.0f}",
        ]
    return f"| {' | '.join(cells)} |"


def plot(found: dict[str, list[dict[str, float]]], file: Path) -> None:
    """Memory and backlog over time."""
    figure, axes = plt.subplots(2, len(found), figsize=(14, 6), sharex="col", squeeze=False)
    for column, (name, series) in enumerate(found.items()):
        seconds = [one["seconds"] for one in series]
        for process in ("workers", "taskmanager"):
            axes[0][column].plot(seconds, [one[process] for one in series], label=process)
        axes[0][column].set_title(TITLES[name], fontsize=9)
        axes[0][column].set_ylim(bottom=0)
        axes[0][column].set_ylabel("MiB resident")
        axes[0][column].legend()
        axes[1][column].plot(
            seconds, [one["sent"] - one["read"] for one in series], color="tab:red"
        )
        axes[1][column].set_ylabel("messages not yet read")
        axes[1][column].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(file)
    plt.close(figure)


_CELLS = ["under", "seconds", "sent", "read", "most not yet read"]
_CELLS += [
    f"{who}: {what}"
    for who in ("workers MiB", "TaskManager MiB")
    for what in ("most", "middle third", "at the end")
]
_HEAD = f"| {' | '.join(_CELLS)} |\n{'|---' * len(_CELLS)}|"

_PAGE = """# Memory under pressure

Measured by `{command}` on two cores, at parallelism 1, heap state. `workers` is
the pool, its zygote and the worker; pages that they share count in each. `taskmanager` has a heap
of 1 GiB. The client fetches at most 64 MiB of a partition ahead (`queued.max.messages.kbytes`) and
continues only when a bundle is complete. Messages that arrive too fast stay in Kafka.

![Memory and backlog]({plot})

{head}
{rows}
"""

if __name__ == "__main__":
    main()
