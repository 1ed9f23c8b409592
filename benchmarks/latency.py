"""`python -m benchmarks.latency`: from a reading in Kafka to its alarm in Kafka, on Flink.

Readings hold the time at which they are sent. One in a thousand exceeds the limit of a rule without
a window. In each window of five seconds, one series in twenty exceeds the limit of a rule on its
mean. The latency of a reading's alarm starts at the reading; that of a window's alarm when the
window may close: its end plus `out_of_orderness`. It ends when a consumer has the alarm.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.data import METRICS, encoded, rows
from benchmarks.flink import ENGINE, flink_cluster, running, submitted
from benchmarks.measuring import processor_seconds
from benchmarks.topics import broker, create
from infra.cluster.control import state
from infra.cluster.settings import Cluster

mpl.use("agg")
import matplotlib.pyplot as plt

TOPIC, PARTITIONS = "bench.latency", 4
ALARMS = {"readings": "bench.latency.readings", "windows": "bench.latency.windows"}
SENSORS = 1_000
WINDOW, OUT_OF_ORDERNESS = 5.0, 0.2
RARE, OFTEN = 1_000, 20
TICK = 0.005
# Seconds at the start that do not count: first windows, and code that is loaded at first use.
WARM_UP = 20.0


@dataclass(frozen=True)
class Setting:
    """A setting. rate: readings a second. linger, bundle, checkpoint: milliseconds."""

    rate: int
    linger: int = 20
    bundle: int = 100
    checkpoint: int = 1_000


@dataclass
class Found:
    """Milliseconds of each alarm, by kind.

    sent, expected: readings, and due alarms of single readings. cores: processor seconds of
    TaskManager and worker for each second; NaN if they were not measured.
    """

    setting: Setting
    seconds: int
    sent: int
    expected: int
    delays: dict[str, list[float]] = field(default_factory=dict)
    cores: float = float("nan")

    def percentile(self, kind: str, of: float) -> float:
        """A percentile of a kind's delays in milliseconds; NaN without an alarm."""
        return float(np.percentile(self.delays[kind], of)) if self.delays[kind] else float("nan")


def send(
    brokers: str, rate: int, seconds: float, counts: multiprocessing.Queue[tuple[int, int]]
) -> None:
    """Send readings at an even rate; count those after the warm-up, and those over the limit."""
    producer = Producer(
        {"bootstrap.servers": brokers, "linger.ms": 2, "compression.type": "lz4", "log_level": 0}
    )
    began, sent, high = time.time(), 0, 0
    while (now := time.time()) < began + seconds:
        count = int((now - began) * rate) - sent
        numbers = np.arange(sent, sent + count, dtype=np.int64)
        series = numbers % (SENSORS * len(METRICS))
        sensors, metrics = series // len(METRICS), series % len(METRICS)
        windows = int(now / WINDOW)
        values = np.where((series + windows) % OFTEN == 0, 100.0, 50.0)
        rare = numbers % RARE == 7
        values[rare] = 600.0
        times = np.full(count, int(now * 1000), np.int64)
        messages = rows(encoded(sensors, metrics, times, values))
        for partition, message in zip((sensors % PARTITIONS).tolist(), messages, strict=True):
            producer.produce(TOPIC, message, partition=partition)
        producer.poll(0)
        sent += count
        high += int(rare.sum()) if now > began + WARM_UP else 0
        time.sleep(max(TICK - (time.time() - now), 0))
    producer.flush()
    counts.put((sent, high))


def listen(brokers: str, until: float) -> Iterator[tuple[str, float, float]]:
    """Kind, event time and arrival (seconds since 1970) of each raised alarm."""
    settings = {
        "bootstrap.servers": brokers,
        "group.id": "bench.latency",
        "fetch.wait.max.ms": 5,
        "log_level": 0,
    }
    consumer = Consumer({**settings, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0) for topic in ALARMS.values()])
    kinds = {topic: kind for kind, topic in ALARMS.items()}
    try:
        while time.time() < until:
            message = consumer.poll(0.05)
            if message is None or message.error() is not None:
                continue
            arrived = time.time()
            headers = dict(message.headers())
            if headers["ce_type"].endswith(b"raise"):
                moment = datetime.fromisoformat(headers["ce_time"].decode()).timestamp()
                yield kinds[message.topic()], moment, arrived
    finally:
        consumer.close()


def measure(cluster: Cluster, brokers: str, setting: Setting, seconds: int) -> Found:
    """One run. The number of alarms shows whether one is missing."""
    create(brokers, TOPIC, PARTITIONS)
    for topic in ALARMS.values():
        create(brokers, topic, 1)
    options = (
        "--bundle-time",
        str(setting.bundle),
        "--checkpoint-interval",
        str(setting.checkpoint),
    )
    environment = {
        "TOCSIN_BROKERS": brokers,
        "BENCH_TOPIC": TOPIC,
        "LINGER": f"{setting.linger} ms",
    }
    with submitted(cluster, "benchmarks/jobs/latency.yaml", *options, **environment):
        counts: multiprocessing.Queue[tuple[int, int]] = multiprocessing.Queue()
        engine = [state(cluster)["processes"][name]["pid"] for name in ENGINE]
        began, used = time.time(), sum(map(processor_seconds, engine))
        sender = multiprocessing.Process(
            target=send, args=(brokers, setting.rate, WARM_UP + seconds, counts)
        )
        sender.start()
        delays: dict[str, list[float]] = {kind: [] for kind in ALARMS}
        for kind, moment, arrived in listen(brokers, began + WARM_UP + seconds + 8):
            closes = moment + (OUT_OF_ORDERNESS if kind == "windows" else 0)
            if closes > began + WARM_UP:
                delays[kind].append((arrived - closes) * 1000)
        sent, expected = counts.get()
        sender.join()
        cores = (sum(map(processor_seconds, engine)) - used) / (time.time() - began)
    return Found(setting, seconds, sent, expected, delays, cores)


def main() -> None:
    """Run all settings; write a page and a plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--rates", nargs="+", type=int, default=[5_000, 50_000])
    parser.add_argument("--seconds", type=int, default=120, help="seconds at each rate")
    parser.add_argument(
        "--trade", type=int, default=30, help="seconds at each setting of the trade-off; 0: none"
    )
    parser.add_argument("--add", action="store_true", help="keep the results that the report has")
    parser.add_argument("--report", type=Path, default=Path("docs/reports/latency.md"))
    options = parser.parse_args()
    brokers = broker()
    wanted = [(Setting(rate), options.seconds) for rate in options.rates]
    if options.trade:
        rate = options.rates[0]
        others = [
            Setting(rate, linger=20),
            Setting(rate, linger=500),
            Setting(rate, bundle=20),
            Setting(rate, bundle=500),
        ]
        others += [
            Setting(rate, checkpoint=200),
            Setting(rate, checkpoint=5_000),
            Setting(rate, linger=20, bundle=20),
        ]
        wanted += [(setting, options.trade) for setting in others]
    file = options.report.with_suffix(".json")
    earlier = json.loads(file.read_text()) if options.add else {"commands": [], "found": []}
    found = [Found(**{**one, "setting": Setting(**one["setting"])}) for one in earlier["found"]]
    with running(flink_cluster("latency")) as cluster:
        for setting, seconds in wanted:
            one = measure(cluster, brokers, setting, seconds)
            found.append(one)
            print(_row(one), flush=True)
    commands = [*earlier["commands"], " ".join(["python -m benchmarks.latency", *sys.argv[1:]])]
    shown = "`, then `".join(commands)
    options.report.write_text(
        _PAGE.format(command=shown, plot=options.report.with_suffix(".svg").name) + _table(found)
    )
    raw = [
        {**asdict(one), "delays": {k: [round(d, 1) for d in v] for k, v in one.delays.items()}}
        for one in found
    ]
    file.write_text(json.dumps({"commands": commands, "found": raw}))
    plot(found, options.report.with_suffix(".svg"))


def _row(one: Found) -> str:
    s = one.setting
    cells = [f"{s.rate:,}", str(one.seconds), str(s.linger), str(s.bundle), str(s.checkpoint)]
    for kind in ALARMS:
        cells += [f"{one.percentile(kind, of):,.0f}" for of in (50, 95, 99)] + [
            f"{len(one.delays[kind]):,}"
        ]
    cells += [f"{one.expected:,}", "-" if np.isnan(one.cores) else f"{one.cores:.2f}"]
    return f"| {' | '.join(cells)} |"


def _table(found: list[Found]) -> str:
    head = ["readings/s", "seconds", "linger ms", "bundle ms", "checkpoint ms"]
    for kind in ALARMS:
        head += [f"{kind}: p50 ms", "p95", "p99", "alarms"]
    head += ["alarms of single readings that were due", "cores"]
    return (
        "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *map(_row, found)]) + "\n"
    )


def plot(found: list[Found], file: Path) -> None:
    """Draw the percentiles of each setting."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5))
    names = [
        f"{s.rate // 1000}k/s\nl{s.linger}\nb{s.bundle}\nc{s.checkpoint}"
        for s in (one.setting for one in found)
    ]
    for axis, kind in zip(axes, ALARMS, strict=True):
        at = np.arange(len(found))
        for shift, of in ((-0.27, 50), (0.0, 95), (0.27, 99)):
            axis.bar(at + shift, [one.percentile(kind, of) for one in found], 0.25, label=f"p{of}")
        axis.set_xticks(at, names, fontsize=7)
        axis.set_title(
            {
                "readings": "alarm of a reading, from the reading",
                "windows": "alarm of a window, from its closing",
            }[kind]
        )
        axis.set_ylabel("milliseconds")
        axis.legend()
    figure.text(
        0.5,
        0.005,
        "l: linger, b: bundle time, c: checkpoint interval, in milliseconds",
        ha="center",
        fontsize=8,
    )
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(file)
    plt.close(figure)


_PAGE = """# Latency: from a reading in Kafka to an alarm in Kafka

Measured by `{command}`: readings at an even rate; sensors, Kafka, Flink and
the worker share two cores. For an alarm of a single reading (`Alert`), the latency is the time from
sending the reading to receiving the alarm. For an alarm of a window (`Aggregate`, then `Detect`),
it starts when the window may close: its end plus the `out_of_orderness` of 200 ms. The first 20 s
are left out.

![Percentiles]({plot})

"""

if __name__ == "__main__":
    main()
