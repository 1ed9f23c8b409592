"""The judge: DuckDB over the lake and a read_committed consumer, against the oracle."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import confluent_kafka
import duckdb

from tests.faults.oracle import Oracle
from tests.faults.traffic import WINDOW
from tests.support.tables import live_files

# Late readings are kept under their time of arrival; this bounds it.
SLACK = 15_000_000


@dataclass
class Verdict:
    """A verdict. lost, duplicated: rows, files and alarms together. problems: sentences."""

    records: int = 0
    lost: int = 0
    duplicated: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_only_incomplete(self) -> bool:
        """Whether output is missing and nothing else is wrong."""
        return bool(self.problems) and all(" lost, such as" in problem for problem in self.problems)

    def compare(
        self, what: str, wanted: set[Any], found: Counter[Any], maybe: set[Any] | None = None
    ) -> None:
        """Compare: every wanted item once, and no other that is not allowed for being newer."""
        missing = wanted - found.keys()
        twice = {key: number for key, number in found.items() if number > 1}
        strange = found.keys() - wanted - (maybe or set())
        self.lost += len(missing)
        self.duplicated += sum(number - 1 for number in twice.values())
        for name, keys in (("lost", missing), ("twice", twice), ("unexpected", strange)):
            if keys:
                self.problems.append(
                    f"{len(keys)} {what} {name}, such as {sorted(keys, key=str)[:3]}"
                )


def judge(oracle: Oracle, lake: Path, alarm_topic: str, reject_topic: str, until: int) -> Verdict:
    """Compare everything that is due at `until` (microseconds)."""
    # First the output, then the topic: the job cannot have written a row that is not in the topic.
    readings, late = (
        _query(lake, dataset, "_partition, _offset") for dataset in ("readings", "late")
    )
    windows = _query(
        lake, "windows", "sensor, epoch_us(window_start), revision, readings, mean, least, most"
    )
    alarms, rejects = consumed(oracle.brokers, alarm_topic), consumed(oracle.brokers, reject_topic)
    oracle.follow()
    verdict = Verdict(records=oracle.messages)
    _judge_places(verdict, "readings", readings, oracle.kept, until - 2 * WINDOW - SLACK)
    _judge_places(verdict, "late", late, oracle.late, until - SLACK)
    _judge_windows(verdict, windows, oracle, until)
    _judge_alarms(verdict, alarms, oracle, until)
    _judge_rejects(verdict, rejects, oracle, until - SLACK)
    everything = set().union(oracle.kept, oracle.late, oracle.rejected, oracle.duplicates)
    if len(everything) != len(oracle.kept) + len(oracle.late) + len(oracle.rejected) + len(
        oracle.duplicates
    ):
        verdict.problems.append("the oracle's own ledger does not balance")
    return verdict


def _query(lake: Path, dataset: str, columns: str) -> list[Any]:
    files = live_files(lake, dataset)
    if not files:
        return []
    listed = [str(file) for file in files]
    return duckdb.execute(
        f"select {columns} from read_parquet(?, hive_partitioning=false)", [listed]
    ).fetchall()


def _judge_places(
    verdict: Verdict,
    dataset: str,
    rows: list[Any],
    expected: dict[tuple[int, int], int],
    until: int,
) -> None:
    found = Counter((partition, offset) for partition, offset in rows)
    verdict.compare(
        f"rows of {dataset}",
        {place for place, time in expected.items() if time <= until},
        found,
        set(expected),
    )


def _judge_windows(verdict: Verdict, rows: list[Any], oracle: Oracle, until: int) -> None:
    found = Counter((row[0], row[1], row[2]) for row in rows)
    wanted, possible = oracle.results(until), oracle.results(2**62)
    verdict.compare("windows", set(wanted), found, set(possible))
    for row in rows:
        expected = possible.get((row[0], row[1], row[2]))
        if expected and (row[1] + WINDOW <= until) and not _same(expected, row[3:]):
            verdict.lost += 1
            verdict.problems.append(f"window {row[:3]} is {row[3:]}, expected {expected}")
            return


def _same(expected: tuple[Any, ...], row: tuple[Any, ...]) -> bool:
    return expected[0] == row[0] and all(
        math.isclose(a, b, rel_tol=1e-12) for a, b in zip(expected[1:], row[1:], strict=True)
    )


def _judge_alarms(verdict: Verdict, messages: list[Any], oracle: Oracle, until: int) -> None:
    events, identities = Counter(), Counter()
    for message in messages:
        headers = {name: value.decode() for name, value in message.headers()}
        identities[headers["ce_id"]] += 1
        moment = datetime.fromisoformat(headers["ce_time"])
        sensor = headers["ce_subject"].removeprefix("sensor=")
        events[sensor, headers["ce_type"].rpartition(".")[2], round(moment.timestamp() * 1e6)] += 1
    verdict.compare("alarms", set(oracle.alarms(until)), events, set(oracle.alarms(2**62)))
    repeated = sum(number - 1 for number in identities.values())
    if repeated:
        verdict.problems.append(f"{repeated} alarm ids were seen again")


def _judge_rejects(verdict: Verdict, messages: list[Any], oracle: Oracle, until: int) -> None:
    """Dead letters are at least once: a repetition is allowed, a loss is not."""
    found = set()
    for message in messages:
        headers = {name: value.decode() for name, value in message.headers()}
        found.add(
            (int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"]))
        )
    wanted = {place for place, time in oracle.rejected.items() if time <= until}
    verdict.compare("rejects", wanted, Counter(dict.fromkeys(found, 1)), set(oracle.rejected))


def consumed(brokers: str, topic: str) -> list[Any]:
    """All committed messages of a topic."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "judge",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        metadata = consumer.list_topics(topic, timeout=30).topics[topic]
        waiting = set(metadata.partitions)
        consumer.assign(
            [confluent_kafka.TopicPartition(topic, partition, 0) for partition in waiting]
        )
        found = []
        while waiting:
            for message in consumer.consume(2000, timeout=1):
                if message.error() is None:
                    found.append(message)
                elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    waiting.discard(message.partition())
        return found
    finally:
        consumer.close()
