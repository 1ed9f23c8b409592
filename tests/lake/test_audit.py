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
from pyarrow import parquet

from tests.support.lakes import HOUR, ROWS, START, batch_of, partitioned
from tocsin.foundation.failure import Failure
from tocsin.kafka.connection import Kafka
from tocsin.kernels.batch import EVENT_TIME, readings_schema, timestamps, with_traits
from tocsin.lake.audit import audit_lake
from tocsin.lake.compaction import compact
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


def with_event_time(file: Path, values: list[Any]) -> None:
    """Replace a column of a file, and keep its footer."""
    table = parquet.read_table(file)
    at = table.schema.get_field_index(EVENT_TIME)
    parquet.write_table(table.set_column(at, EVENT_TIME, pa.array(values)), file)


def test_columns_of_types_that_do_not_fit_are_a_problem(hours: Path) -> None:
    file = files_of(hours / "locks")[1]
    with_event_time(file, [{"of": 1}] * ROWS)
    (problem,) = audit_lake(hours).problems
    assert f"{file}: the column '_event_time' is struct<of: int64>, but timestamp" in problem


def test_a_type_that_was_widened_is_no_problem(hours: Path) -> None:
    first, second, third = files_of(hours / "locks")
    with_event_time(first, [1] * ROWS)
    with_event_time(second, [1.5] * ROWS)
    with_event_time(third, [2] * ROWS)
    assert not [one for one in audit_lake(hours).problems if "the column" in one]


def test_a_lake_that_cannot_be_opened_is_a_problem(
    hours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(root: Path, skip: Any) -> Any:
        raise Failure("the dataset 'locks' cannot be read: out of memory")

    monkeypatch.setattr("tocsin.lake.audit.open_lake", fails)
    report = audit_lake(hours)
    assert report.problems == ["the dataset 'locks' cannot be read: out of memory"]
    assert (report.files, report.rows) == (3, 0)


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


def test_the_offsets_of_another_topic_are_no_duplicates(tmp_path: Path) -> None:
    """Two recordings, the second with one column more; compacted, a file has rows of both."""
    sink = find("write", "write_to_lake")(lake=str(tmp_path), dataset="places", span="1 h")
    for number, topic in enumerate(["file:one.jsonl", "file:two.jsonl"]):
        at = START + number * HOUR
        batch = partitioned(pa.array(["a"]), topic=topic, at=at)
        if number:
            fields = [pa.field("more", pa.float64()), *batch.schema]
            schema = readings_schema(fields[:3], topic=topic, allowed_lateness=0)
            batch = pa.RecordBatch.from_arrays([pa.array([1.5]), *batch.columns], schema=schema)
        sink.write(batch, f"{at}.s000.r0")
    assert audit_lake(tmp_path).problems == []
    compact(tmp_path, 0)
    assert (audit_lake(tmp_path).files, audit_lake(tmp_path).problems) == (1, [])
    file = files_of(tmp_path)[0]
    shutil.copy(file, file.with_name(f"{file.stem}-again.parquet"))
    assert audit_lake(tmp_path).problems == ["places: 1 readings are there twice"]


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def blank_pages(file: Path) -> None:
    """The footer is whole, and the pages are not."""
    content = file.read_bytes()
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    file.write_bytes(b"PAR1" + b"\xff" * (end - 4) + content[end:])


def lie(file: Path) -> None:
    table = parquet.read_table(file, partitioning=None)
    parquet.write_table(table.replace_schema_metadata({"tocsin.offsets": "[1"}), file)


@pytest.mark.parametrize(
    "spoil",
    [cut, lie, lambda file: file.write_bytes(b""), lambda file: file.write_bytes(b"PAR1" * 9)],
    ids=["cut", "odd footer", "empty", "no Parquet"],
)
def test_an_unreadable_file_is_named_and_the_others_are_audited(
    spoil: Callable[[Path], Any], hours: Path
) -> None:
    files = files_of(hours)
    spoil(files[1])
    shutil.copy(files[0], files[0].with_name("20260302T000000Z-1h-s001-r0.parquet"))
    report = audit_lake(hours)
    assert (report.files, report.rows) == (4, 3 * ROWS)
    assert report.problems[0].startswith(f"{files[1]}: cannot be read: ")
    assert report.problems[1:] == [f"locks: {ROWS} readings are there twice"]


def test_pages_that_cannot_be_read_are_a_problem_and_no_traceback(hours: Path, tocsin: Any) -> None:
    blank_pages(files_of(hours)[1])
    code, out, errors = tocsin("lake", hours, "check")
    assert (code, errors) == (1, "")
    assert "locks: its rows cannot be read: " in out
    code, out, errors = tocsin("lake", hours, "compact", "--older-than", "0 s")
    assert code == 1
    assert f"{files_of(hours)[1]}: cannot be read: " in errors


def test_a_query_of_an_unreadable_file_is_a_sentence(hours: Path, tocsin: Any) -> None:
    file = files_of(hours)[1]
    cut(file)
    for word in ("select 1", "contents", "compact", "retain", "check"):
        code, out, errors = tocsin("lake", hours, word)
        assert code == 1
        assert f"{file}" in out + errors
        assert errors.count("\n") <= 1


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


def test_a_gap_at_the_start_is_a_problem_even_if_the_topic_has_newer_messages(
    hours: Path, topic: Any
) -> None:
    files_of(hours / "locks")[0].unlink()
    report = audit_lake(hours, topic(3 * ROWS + 1))
    assert len(report.problems) == len(report.notes) == 1


def test_a_topic_that_is_gone_is_a_note(hours: Path) -> None:
    with EmbeddedKafka() as broker:
        report = audit_lake(hours, Kafka(brokers=broker.brokers))
    assert report.problems == []
    assert all(note.startswith("city.locks") for note in report.notes)
