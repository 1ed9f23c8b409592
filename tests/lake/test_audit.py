"""An audit compares files, rows and marks with the log, and offsets with the topics."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Producer
from pyarrow import parquet

from tests.support.table_files import (
    HOUR,
    ROWS,
    START,
    add,
    put,
    readings,
    write_hours,
    written,
)
from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka
from tocsin.lake.audit import audit_lake
from tocsin.lake.compaction import compact
from tocsin.lake.datasets import files_of, table_of
from tocsin.simulator.embedded_kafka import EmbeddedKafka
from tocsin.table.commit import Change, commit


@pytest.fixture
def hours(tmp_path: Path) -> Path:
    """A lake of three hourly files."""
    write_hours(tmp_path / "locks", range(3))
    return tmp_path


def rewrite(file: Path, rows: Any) -> None:
    """Put other rows into a file, and keep its footer."""
    metadata = parquet.read_schema(file).metadata
    parquet.write_table(rows.replace_schema_metadata(metadata), file, compression="zstd")


def test_a_good_lake_has_counts_offsets_and_no_problem(hours: Path) -> None:
    report = audit_lake(hours)
    assert (report.files, report.rows, report.problems, report.notes) == (3, 3 * ROWS, [], [])
    assert report.offsets == {"city.locks": {"0": [0, 3 * ROWS - 1]}}
    assert report.as_dict()["good"] is True
    assert report.text().splitlines()[0].endswith("3 files, 18 rows")
    assert report.text().endswith("  good")


def test_another_count_of_rows_than_in_the_log_is_a_problem(hours: Path) -> None:
    file = files_of(hours)[1]
    rewrite(file, readings(1).slice(0, 4))
    assert audit_lake(hours).problems == [f"{file}: has 4 rows, and 6 by the log"]


def test_another_size_than_in_the_log_is_a_problem(hours: Path) -> None:
    file = files_of(hours)[1]
    rewrite(file, readings(1, value=[0.0] * ROWS))
    (problem,) = audit_lake(hours).problems
    assert problem.startswith(f"{file}: has ")
    assert problem.endswith("by the log")


def test_a_column_of_another_type_than_the_table_is_a_problem(hours: Path) -> None:
    add(hours / "locks", written(hours / "locks", readings(9, value=["a"] * ROWS), 9))
    problem = audit_lake(hours).problems[0]
    assert "the column 'value' is double in the dataset 'locks', and string" in problem


def test_a_column_that_the_table_lacks_is_a_problem(hours: Path) -> None:
    add(hours / "locks", written(hours / "locks", readings(9, more=["a"] * ROWS), 9))
    (problem,) = audit_lake(hours).problems
    assert problem.endswith("the table has no column 'more'")


def test_a_file_that_no_mark_covers_is_a_problem(hours: Path) -> None:
    """A restart of the job would write its unit again."""
    known = {"tocsin.owner": "air/Lake"}
    for hour, problems in ((1, 2), (2, 1), (3, 0)):
        marks = {"air/Lake//s000": START + hour * HOUR}
        commit(
            str(hours / "locks"),
            lambda _, marks=marks: Change("MARK", marks=marks, properties=known),  # type: ignore[misc]
        )
        found = audit_lake(hours).problems
        assert len(found) == problems
        assert all("the mark of s000 does not cover its unit" in one for one in found)


def test_files_that_no_version_has_are_a_note_after_an_hour(hours: Path) -> None:
    """A compaction's files are waiting for the vacuum, and a young file for its commit."""
    compact(hours, 0)
    young, old = (hours / "locks" / written(hours / "locks", readings(9)).path for _ in range(2))
    os.utime(old, (1, 1))
    report = audit_lake(hours)
    assert report.problems == []
    (note,) = report.notes
    assert note.startswith("locks: 1 files that no version has, older than an hour, such as data/")
    assert young.exists()


def test_readings_that_are_there_twice_are_counted(hours: Path) -> None:
    put(hours / "locks", readings(1), 1)
    report = audit_lake(hours)
    assert report.problems == [f"locks: {ROWS} readings are there twice"]
    assert not report.is_good
    assert "  wrong: locks" in report.text()
    compact(hours, 0)
    assert audit_lake(hours).problems == report.problems


def test_offsets_of_another_topic_or_partition_are_no_duplicates(hours: Path) -> None:
    other = '{"file:two.jsonl": {"0": [0, 5]}}'
    put(hours / "locks", readings(0), offsets=other)
    rows = readings(0)
    at = rows.schema.get_field_index("_partition")
    rows = rows.set_column(at, "_partition", pa.array([1] * ROWS, pa.int32()))
    put(hours / "locks", rows)
    assert audit_lake(hours).problems == []
    compact(hours, 0)
    assert (audit_lake(hours).files, audit_lake(hours).problems) == (2, [])


@pytest.mark.parametrize(("revision", "problems"), [(1, 0), (0, 1)])
def test_windows_may_repeat_in_another_revision_only(
    revision: int, problems: int, tmp_path: Path
) -> None:
    for number in (0, revision):
        rows = {"window_start": [0, 0], "k": ["a", "b"], "revision": [number] * 2}
        put(tmp_path / "d", pa.table(rows), keys='["window_start", "k"]')
    assert len(audit_lake(tmp_path).problems) == problems


def test_files_of_other_programs_are_named(hours: Path) -> None:
    put(hours / "locks", readings(7), 7, offsets=None, unit=None)
    (problem,) = audit_lake(hours).problems
    assert problem.endswith("not written by tocsin (its footer has no offsets)")


def test_a_dataset_of_the_old_layout_is_named(hours: Path) -> None:
    (hours / "old").mkdir()
    parquet.write_table(readings(0), hours / "old" / "a.parquet")
    (problem,) = audit_lake(hours).problems
    assert problem.startswith("old: has the layout of an earlier release")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def lie(file: Path) -> None:
    parquet.write_table(readings(0).replace_schema_metadata({"tocsin.offsets": "[1"}), file)


@pytest.mark.parametrize(
    "spoil",
    [cut, lie, lambda file: file.write_bytes(b""), lambda file: file.unlink()],
    ids=["cut", "odd footer", "empty", "missing"],
)
def test_a_file_that_is_unreadable_is_named_and_the_others_are_audited(
    spoil: Callable[[Path], Any], hours: Path
) -> None:
    file = files_of(hours)[1]
    spoil(file)
    put(hours / "locks", readings(0))
    report = audit_lake(hours)
    assert (report.files, report.rows) == (4, 3 * ROWS)
    assert report.problems[0].startswith(f"{file}: cannot be read: ")
    assert report.problems[1:] == [f"locks: {ROWS} readings are there twice"]


def test_pages_that_cannot_be_read_are_a_problem_and_no_traceback(hours: Path, tocsin: Any) -> None:
    file = files_of(hours)[1]
    content = file.read_bytes()
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    file.write_bytes(b"PAR1" + b"\xff" * (end - 4) + content[end:])
    code, out, errors = tocsin("lake", hours, "check")
    assert (code, errors) == (1, "")
    assert f"{file}: its bytes differ from those that were written" in out
    code, _, errors = tocsin("lake", hours, "compact", "--older-than", "0 s")
    assert code == 1
    assert f"{file}: cannot be read: " in errors


@pytest.mark.parametrize("word", ["select 1", "contents", "compact", "retain", "check", "maintain"])
def test_every_word_names_an_unreadable_file(word: str, hours: Path, tocsin: Any) -> None:
    file = files_of(hours)[0]
    cut(file)
    code, out, errors = tocsin("lake", hours, word)
    assert code == 1
    assert f"{file}" in out + errors
    assert errors.count("\n") <= 1


def test_a_torn_log_is_a_problem_of_its_dataset(hours: Path) -> None:
    put(hours / "others", readings(0))
    log = hours / "locks" / "_delta_log" / f"{table_of(hours / 'locks').version:020}.json"
    log.write_bytes(b"")
    report = audit_lake(hours)
    assert report.rows == ROWS, "the other dataset is audited"
    (problem,) = report.problems
    assert f"{log} is empty" in problem


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
    _without_first(hours)
    (problem,) = audit_lake(hours, topic(3 * ROWS)).problems
    assert problem.startswith("city.locks:0: the lake begins at offset 6, the topic at 0")


def _without_first(lake: Path) -> None:
    file = table_of(lake / "locks").files()[0]
    commit(str(lake / "locks"), lambda _: Change("DELETE", removes=[file]))


def test_a_gap_at_the_start_is_a_problem_even_if_the_topic_has_newer_messages(
    hours: Path, topic: Any
) -> None:
    _without_first(hours)
    report = audit_lake(hours, topic(3 * ROWS + 1))
    assert len(report.problems) == len(report.notes) == 1


def test_a_topic_that_is_gone_is_a_note(hours: Path) -> None:
    with EmbeddedKafka() as broker:
        report = audit_lake(hours, Kafka(brokers=broker.brokers))
    assert report.problems == []
    assert all(note.startswith("city.locks") for note in report.notes)


def test_a_broker_that_does_not_answer_is_a_failure(hours: Path) -> None:
    with pytest.raises(Failure, match="no answer from Kafka"):
        audit_lake(hours, Kafka(brokers="localhost:1"))
