"""Audits a lake: duplicate rows, unfinished files, and offsets compared with the topics."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka
from tocsin.lake.atomic_replace import is_staging
from tocsin.lake.query import (
    brief,
    datasets_of,
    files_of,
    footer,
    offsets_in,
    open_lake,
    quoted,
    rows_with_files,
    schema_in,
    unreadable,
)


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

    A file that cannot be read is a problem of the report. Raises Failure where Kafka does not
    answer.
    """
    report = AuditReport(str(root))
    skip = unreadable(file for folder in datasets_of(root) for file in files_of(folder))
    report.problems += skip.values()
    for folder in datasets_of(root):
        for file in files_of(folder):
            report.files += 1
            if file not in skip:
                _note_offsets(report, file)
        _check_types(report, [file for file in files_of(folder) if file not in skip])
    try:
        connection, datasets = open_lake(root, skip)
    except Failure as failure:
        report.problems.append(failure.sentence)
        connection, datasets = None, []
    for dataset in datasets:
        report.rows += dataset.rows
        try:
            folder = root / dataset.name
            files = [file for file in files_of(folder) if file not in skip]
            _check_rows(report, connection, folder, files)
        except duckdb.Error as error:
            report.problems.append(f"{dataset.name}: its rows cannot be read: {brief(error)}")
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


def _check_types(report: AuditReport, files: list[Path]) -> None:
    """Look for columns whose types in two files have no common one: readers give text, or fail."""
    known: dict[str, dict[pa.DataType, Path]] = {}
    for file in files:
        for column in schema_in(file):
            known.setdefault(column.name, {}).setdefault(column.type, file)
    for name, kinds in known.items():
        (first, *others) = kinds
        for kind in others:
            try:
                pa.unify_schemas(
                    [pa.schema([(name, one)]) for one in (first, kind)],
                    promote_options="permissive",
                )
            except (pa.ArrowInvalid, pa.ArrowTypeError):
                report.problems.append(
                    f"{kinds[kind]}: the column '{name}' is {kind}, but {first} in {kinds[first]}"
                )


def _check_rows(report: AuditReport, connection: Any, folder: Path, files: list[Path]) -> None:
    """Look for rows that are there twice."""
    name = quoted(folder.name)
    all_of = quoted(f"{folder.name}_all")
    columns = {row[0] for row in connection.execute(f"describe {all_of}").fetchall()}
    keys: list[str] = json.loads(footer(files[0]).get("tocsin.keys", "[]"))
    if {"_partition", "_offset", "_index"} <= columns:
        # One offset occurs in several topics, and a compacted file may have rows of several.
        rows = f"{rows_with_files(folder, files)} join tocsin.{name} using (_file)"
        twice = _repeated(
            connection, rows, "topics, _partition, _offset, _index", "any_value(sources)"
        )
        what = "readings are there twice"
    elif {"window_start", "revision"} <= columns and keys:
        listed = ", ".join(quoted(key) for key in [*keys, "revision"])
        twice = _repeated(connection, all_of, listed, "1")
        what = "windows are there twice with one revision"
    else:
        return
    if twice:
        report.problems.append(f"{folder.name}: {twice:,} {what}")


def _repeated(connection: Any, rows: str, columns: str, allowed: str) -> int:
    """The number of different values of some columns that occur more often than allowed."""
    query = (
        f"select count(*) from (select 1 from {rows} "  # noqa: S608 - names are quoted
        f"group by {columns} having count(*) > {allowed})"
    )
    return int(connection.execute(query).fetchall()[0][0])


def _compare_with_topics(report: AuditReport, kafka: Kafka) -> None:
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    consumer = Consumer(kafka.client_settings(**{"group.id": "tocsin-check", "log_level": 3}))
    try:
        for topic, partitions in report.offsets.items():
            if not topic or topic.startswith("file:"):
                continue
            known = consumer.list_topics(topic, timeout=10).topics[topic]
            if known.error is not None:
                report.notes.append(f"{topic}: {known.error.str()}; its offsets were not compared")
            for partition in known.partitions:
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=10
                )
                _compare(report, f"{topic}:{partition}", partitions.get(str(partition)), low, high)
    except KafkaException as error:
        raise Failure(f"no answer from Kafka at {kafka.address()}: {error.args[0].str()}") from None
    finally:
        consumer.close()


def _compare(
    report: AuditReport, place: str, in_lake: list[int] | None, low: int, high: int
) -> None:
    """Compare the first and last offset in the lake with those of a partition."""
    if in_lake is None:
        if high > low:
            report.problems.append(f"{place}: {high - low:,} messages, none of them in the lake")
        return
    first, last = in_lake
    if first > low:
        report.problems.append(
            f"{place}: the lake begins at offset {first:,}, the topic at {low:,}"
        )
    if last < high - 1:
        report.notes.append(
            f"{place}: the lake ends at offset {last:,}, the topic at {high - 1:,} "
            "(rejected, or not read yet)"
        )
