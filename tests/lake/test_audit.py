"""An audit names duplicate rows, unfinished files and staging folders."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Producer

from tests.support.lakes import HOUR, ROWS, START, batch_of
from tocsin.kafka.connection import Kafka
from tocsin.kernels.batch import EVENT_TIME, timestamps, with_traits
from tocsin.lake.audit import audit_lake
from tocsin.lake.query import files_of
from tocsin.parts.registry import find
from tocsin.simulator.embedded_kafka import EmbeddedKafka


@pytest.fixture
def hours(tmp_path: Path) -> Path:
    """A lake of three hourly files."""
    sink = find("write", "write_to_lake")(lake=str(tmp_path), dataset="locks", span="1 h")
    for hour in range(3):
        sink.write(batch_of(hour), f"{START + hour * HOUR}.s000.r0")
    return tmp_path


def test_a_good_lake_has_counts_offsets_and_no_problem(hours: Path) -> None:
    report = audit_lake(hours)
    assert (report.files, report.rows, report.problems) == (3, 3 * ROWS, [])
    assert report.offsets == {"city.locks": {"0": [0, 3 * ROWS - 1]}}
    assert report.as_dict()["good"] is True
    assert report.text().splitlines()[0].endswith("3 files, 18 rows")
    assert report.text().endswith("  good")


def test_readings_that_are_there_twice_are_counted(hours: Path) -> None:
    file = files_of(hours / "locks")[1]
    shutil.copy(file, file.with_name("20260302T010000Z-1h-s001-r0.parquet"))
    report = audit_lake(hours)
    assert report.problems == [f"locks: {ROWS} readings are there twice"]
    assert not report.is_good
    assert "  wrong: locks" in report.text()


@pytest.mark.parametrize(("revision", "problems"), [(1, 0), (0, 1)])
def test_windows_may_repeat_in_another_revision_only(
    tmp_path: Path, revision: int, problems: int
) -> None:
    sink = find("write", "write_to_lake")(lake=str(tmp_path), dataset="hours", span="1 h")
    for number, shard in ((0, "s000"), (revision, "s001")):
        sink.write(windows(number), f"{START}.{shard}.r{number}")
    assert len(audit_lake(tmp_path).problems) == problems


def windows(revision: int) -> pa.RecordBatch:
    """An hour of two sensors in one revision."""
    columns: dict[str, Any] = {
        "window_start": timestamps(np.full(2, START)),
        "sensor": pa.array(["a", "b"]),
        "revision": pa.array([revision] * 2, pa.int32()),
        EVENT_TIME: timestamps(np.full(2, START)),
    }
    batch = pa.RecordBatch.from_pydict(columns)
    return batch.cast(with_traits(batch.schema, keys=("sensor",), aggregated=True))


def test_unfinished_files_are_named(hours: Path) -> None:
    (hours / "locks" / ".a.parquet.0123.part").touch()
    assert audit_lake(hours).problems == [
        "1 unfinished files of an interrupted run, such as .a.parquet.0123.part (safe to delete)"
    ]


def test_files_of_other_programs_are_named(hours: Path) -> None:
    from pyarrow import parquet

    file = files_of(hours / "locks")[0]
    parquet.write_table(parquet.read_table(file).replace_schema_metadata(None), file)
    (problem,) = audit_lake(hours).problems
    assert problem.endswith("not written by tocsin (its footer has no offsets)")


@pytest.mark.parametrize("column", ["_partition", "_index"])
def test_the_same_offset_in_another_partition_or_element_is_no_duplicate(
    hours: Path, column: str
) -> None:
    batch = batch_of(0)
    at = batch.schema.get_field_index(column)
    ones = pa.array([1] * ROWS, pa.int32())
    sink = find("write", "write_to_lake")(lake=str(hours), dataset="locks", span="1 h")
    sink.write(batch.set_column(at, batch.schema.field(at), ones), f"{START}.s001.r0")
    report = audit_lake(hours)
    assert (report.rows, report.problems) == (4 * ROWS, [])


@pytest.fixture
def topic() -> Iterator[Callable[..., Kafka]]:
    """Fill the partitions of `city.locks` with messages: one count for each partition."""
    with EmbeddedKafka() as broker:

        def fill(*counts: int) -> Kafka:
            producer = Producer({"bootstrap.servers": broker.brokers, "log_level": 0})
            for partition, count in enumerate(counts):
                for _ in range(count):
                    producer.produce("city.locks", b"x", partition=partition)
            assert producer.flush(20) == 0
            return Kafka(brokers=broker.brokers)

        yield fill


def test_a_topic_whose_messages_are_all_in_the_lake_is_good(hours: Path, topic: Any) -> None:
    report = audit_lake(hours, topic(3 * ROWS))
    assert (report.problems, report.notes) == ([], [])


def test_a_topic_with_newer_messages_is_a_note(hours: Path, topic: Any) -> None:
    report = audit_lake(hours, topic(3 * ROWS + 1))
    assert report.problems == []
    (note,) = report.notes
    assert note.startswith("city.locks:0: the lake ends at offset 17, the topic at 18")


def test_a_partition_that_is_not_in_the_lake_is_a_problem(hours: Path, topic: Any) -> None:
    (problem,) = audit_lake(hours, topic(3 * ROWS, 5)).problems
    assert problem.startswith("city.locks:1: 5 messages")


def test_a_lake_that_begins_after_its_topic_is_a_problem(hours: Path, topic: Any) -> None:
    files_of(hours / "locks")[0].unlink()
    (problem,) = audit_lake(hours, topic(3 * ROWS)).problems
    assert problem.startswith("city.locks:0: the lake begins at offset 6, the topic at 0")
