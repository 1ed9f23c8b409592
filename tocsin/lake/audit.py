"""Audits a lake: duplicate rows, unfinished files, and offsets compared with the topics."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka
from tocsin.lake.atomic_replace import is_staging
from tocsin.lake.query import files_of, footer, offsets_in, open_lake


@dataclass
class AuditReport:
    """The result of an audit.

    Attributes:
        files, rows: counts; rows are those of the newest revisions.
        offsets: first and last offset by topic and partition.
        problems: sentences; empty for a good lake.
        notes: sentences that need no action.
    """

    lake: str
    files: int = 0
    rows: int = 0
    offsets: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """A mapping for JSON."""
        return {**asdict(self), "good": self.is_good}

    def text(self) -> str:
        """The report as lines of text."""
        lines = [f"{self.lake}: {self.files:,} files, {self.rows:,} rows"]
        for topic, partitions in self.offsets.items():
            ranges = ", ".join(
                f"{p}: {first:,} to {last:,}" for p, (first, last) in sorted(partitions.items())
            )
            lines.append(f"  {topic}: offsets {ranges}")
        lines += [f"  {note}" for note in self.notes]
        lines += [f"  wrong: {problem}" for problem in self.problems] or ["  good"]
        return "\n".join(lines)


def audit_lake(root: Path, kafka: Kafka | None = None) -> AuditReport:
    """Read every footer, and the rows with DuckDB; with `kafka`, compare offsets with the topics.

    Raises Failure where Kafka does not answer.
    """
    report = AuditReport(str(root))
    connection, datasets = open_lake(root)
    for dataset in datasets:
        report.rows += dataset.rows
        for file in files_of(root / dataset.name):
            report.files += 1
            _note_offsets(report, file)
        columns = [
            row[0] for row in connection.execute(f'describe "{dataset.name}_all"').fetchall()
        ]
        if {"_partition", "_offset", "_index"} <= set(columns):
            _check_readings(report, connection, dataset.name)
        elif {"window_start", "revision"} <= set(columns):
            _check_windows(report, connection, root / dataset.name, dataset.name)
    hidden = list(root.rglob(".*.part"))
    if hidden:
        report.problems.append(
            f"{len(hidden)} unfinished files of an interrupted run, "
            f"such as {hidden[0].name} (safe to delete)"
        )
    left = [path.name for path in root.iterdir() if is_staging(path)]
    if left:
        report.problems.append(
            f"{', '.join(sorted(left))}: left by an interrupted backfill or compaction "
            "(safe to delete unless one is running)"
        )
    if kafka is not None:
        _compare_with_topics(report, kafka)
    return report


def _note_offsets(report: AuditReport, file: Path) -> None:
    metadata = footer(file)
    if "tocsin.offsets" not in metadata:
        report.problems.append(f"{file}: not written by tocsin (its footer has no offsets)")
        return
    for topic, partitions in offsets_in(metadata).items():
        known = report.offsets.setdefault(topic, {})
        for partition, (first, last) in partitions.items():
            offsets = known.setdefault(partition, [first, last])
            offsets[:] = min(offsets[0], first), max(offsets[1], last)


def _check_readings(report: AuditReport, connection: Any, name: str) -> None:
    twice = _duplicates(connection, name, "_partition, _offset, _index")
    if twice:
        report.problems.append(f"{name}: {twice:,} readings are there twice")


def _check_windows(report: AuditReport, connection: Any, folder: Path, name: str) -> None:
    keys = json.loads(footer(files_of(folder)[0]).get("tocsin.keys", "[]"))
    listed = ", ".join('"' + key.replace('"', '""') + '"' for key in keys)
    if keys and (twice := _duplicates(connection, name, f"{listed}, revision")):
        report.problems.append(f"{name}: {twice:,} windows are there twice with one revision")


def _duplicates(connection: Any, name: str, columns: str) -> int:
    """The number of different values of some columns that occur more than once."""
    query = (
        f'select count(*) from (select 1 from "{name}_all" '  # noqa: S608 - names are quoted
        f"group by {columns} having count(*) > 1)"
    )
    return int(connection.execute(query).fetchone()[0])


def _compare_with_topics(report: AuditReport, kafka: Kafka) -> None:
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    consumer = Consumer(kafka.client_settings(**{"group.id": "tocsin-check", "log_level": 3}))
    try:
        for topic, partitions in report.offsets.items():
            if not topic or topic.startswith("file:"):
                continue
            for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=10
                )
                first, last = partitions.get(str(partition), [high, high - 1])
                if high > low and str(partition) not in partitions:
                    report.problems.append(
                        f"{topic}:{partition}: {high - low:,} messages, none of them in the lake"
                    )
                elif last < high - 1:
                    report.notes.append(
                        f"{topic}:{partition}: the lake ends at offset {last:,}, "
                        f"the topic at {high - 1:,} (rejected, or not read yet)"
                    )
                elif first > low:
                    report.problems.append(
                        f"{topic}:{partition}: the lake begins at offset {first:,}, "
                        f"the topic at {low:,}"
                    )
    except KafkaException as error:
        raise Failure(f"no answer from Kafka at {kafka.address()}: {error.args[0].str()}") from None
    finally:
        consumer.close()
