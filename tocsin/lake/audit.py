"""Audits a lake: its files, counts and marks against the log, rows twice, offsets, topics."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka
from tocsin.lake.datasets import datasets_of, keys_in, old_datasets_of, table_of
from tocsin.lake.file_checks import (
    check_checksums,
    check_files,
    check_leftovers,
    check_marks,
    check_types,
    without_checksum,
)
from tocsin.lake.footers import brief, footer, offsets_in, unreadable
from tocsin.lake.query import one_dataset, quoted, rows_with_files
from tocsin.lake.staging import is_staging
from tocsin.table.checksums import checksums
from tocsin.table.stored import fetch


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
    """Compare the files of each table with its log, and look for rows that are there twice.

    It reads every footer, and the rows with DuckDB; with `kafka`, it compares offsets with the
    topics. A file that is missing or cannot be read is a problem of the report, and the others are
    audited. Raises Failure where Kafka does not answer.
    """
    report = AuditReport(str(root))
    report.problems += [
        f"{path.name}: has the layout of an earlier release; take it over with "
        f"`tocsin lake {root} adopt --dataset {path.name}`"
        for path in old_datasets_of(root)
    ]
    if not report.problems:
        for folder in datasets_of(root):
            try:
                _audit(report, folder)
            except Failure as failure:
                report.problems.append(failure.sentence)
    left = [path.name for path in root.iterdir() if is_staging(path)]
    if left:
        report.problems.append(
            f"{', '.join(sorted(left))}: left by an interrupted backfill "
            "(safe to delete unless one is running)"
        )
    if kafka is not None:
        _compare_with_topics(report, kafka)
    return report


def _audit(report: AuditReport, folder: Path) -> None:
    """Audit one dataset."""
    table = table_of(folder)
    known = {folder / file.path: file for file in table.files()}
    fetch(known)
    bad = unreadable(known)
    report.files += len(known)
    report.problems += bad.values()
    readable = {path: file for path, file in known.items() if path not in bad}
    heads = {path: footer(path) for path in readable}
    for path, head in heads.items():
        _note_offsets(report, path, head)
    report.problems += check_types(table, list(readable))
    report.problems += check_marks(table, heads)
    wrong = check_files(readable)
    report.problems += wrong.values()
    sums = checksums(table.place, table.version)
    damaged = check_checksums({p: f for p, f in readable.items() if p not in wrong}, sums)
    report.problems += damaged.values()
    report.notes += without_checksum(folder.name, readable, sums)
    report.notes += check_leftovers(folder)
    heads = {path: head for path, head in heads.items() if path not in damaged}
    if not heads:
        return
    try:
        _check_rows(report, folder, heads)
    except (duckdb.Error, Failure) as error:
        reason = error.sentence if isinstance(error, Failure) else brief(error)
        report.problems.append(f"{folder.name}: its rows cannot be read: {reason}")


def _note_offsets(report: AuditReport, file: Path, head: dict[str, str]) -> None:
    if "tocsin.offsets" not in head:
        report.problems.append(f"{file}: not written by tocsin (its footer has no offsets)")
        return
    for topic, partitions in offsets_in(head).items():
        known = report.offsets.setdefault(topic, {})
        for partition, (first, last) in partitions.items():
            offsets = known.setdefault(partition, [first, last])
            offsets[:] = min(offsets[0], first), max(offsets[1], last)


def _check_rows(report: AuditReport, folder: Path, heads: dict[Path, dict[str, str]]) -> None:
    """Count the rows, and look for rows that are there twice."""
    connection = one_dataset(folder.name, list(heads), keys_in([*heads.values()][:1]))
    every = quoted(f"{folder.name}_all")
    query = f"select count(*) from {quoted(folder.name)}"  # noqa: S608 - names are quoted
    report.rows += int(connection.execute(query).fetchall()[0][0])
    columns = {row[0] for row in connection.execute(f"describe {every}").fetchall()}
    keys = keys_in(list(heads.values()))
    if {"_partition", "_offset", "_index"} <= columns:
        # One offset occurs in several topics, and a file may have rows of several.
        topics = [sorted(offsets_in(head)) for head in heads.values()]
        listed = {
            "_file": [str(file) for file in heads],
            "topics": [", ".join(names) for names in topics],
            "sources": [max(len(names), 1) for names in topics],
        }
        connection.register("listed", pa.table(listed))
        rows = f"{rows_with_files(list(heads))} join listed using (_file)"
        # Rows without a place in a topic are no reading's.
        where = "where _partition is not null and _offset is not null"
        columns_of = "topics, _partition, _offset, _index"
        twice = _repeated(connection, f"{rows} {where}", columns_of, "any_value(sources)")
        what = "readings are there twice"
    elif {"window_start", "revision"} <= columns and keys:
        names = ", ".join(quoted(key) for key in [*keys, "revision"])
        twice = _repeated(connection, every, names, "1")
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
