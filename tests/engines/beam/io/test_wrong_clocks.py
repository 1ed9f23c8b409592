"""Devices that stamp their own messages with a wrong clock, from the topic to the watermarks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME
from tocsin.transforms.read.read_telemetry import ReadTelemetry

from tocsin.engines.beam.io.restrictions import (
    OffsetRestriction,
    OffsetRestrictionTracker,
    SplitOf,
)
from tocsin.engines.beam.io.source_dofn import ReadSplit
from tocsin.engines.reading.split_clock import SplitClock
from tocsin.kafka.decoding import Messages
from tocsin.kernels.batch import BEGINNING
from tocsin.kernels.time.partition_clock import PartitionClock
from tocsin.parts.source import Fetched, Split

NOW, DAY = 1_772_445_600_000, 86_400_000
DEVICES, ROUNDS = 10, 40
TIME = {"type": "long", "logicalType": "timestamp-millis"}
SCHEMA = {
    "type": "record",
    "name": "R",
    "fields": [{"name": "id", "type": "string"}, {"name": "at", "type": TIME}],
}


def source(folder: Path, **config: Any) -> ReadTelemetry:
    (folder / "r.avsc").write_text(json.dumps(SCHEMA))
    config = {"topic": "t", "schema": "r.avsc", "event_time": "at", "format": "json", **config}
    config.setdefault("out_of_orderness", "5 s")
    return ReadTelemetry.model_validate(config, context={"folders": [str(folder)]})


def readings(wrong: int) -> list[tuple[str, int]]:
    """A reading of each device every 10 s. The first `wrong` devices are a day ahead or more."""
    return [
        (f"d{device}", NOW + number * 10_000 + (DAY * (device + 1) if device < wrong else 0))
        for number in range(ROUNDS)
        for device in range(DEVICES)
    ]


def messages(sent: list[tuple[str, int]]) -> list[tuple[bytes, None, int, int]]:
    """Messages that their devices stamped: value, key, timestamp in milliseconds, partition."""
    return [(json.dumps({"id": name, "at": at}).encode(), None, at, 0) for name, at in sent]


class Watermark:
    """Notes the watermarks that a split reports."""

    def __init__(self) -> None:
        self.reported: list[float] = []

    def current_watermark(self) -> Any:
        return None

    def set_watermark(self, moment: Any) -> None:
        self.reported.append(float(moment))


def read(made: ReadTelemetry) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Watermark]:
    """Rows and rejects of the partition, and its watermarks."""
    reader, watermark = ReadSplit(made, "read", live=False), Watermark()
    reader.setup()
    (split, *_) = made.splits(live=False)
    tracker = OffsetRestrictionTracker(OffsetRestriction(split.start, split.stop, BEGINNING))
    rows, rejects = [], []
    for element in reader.process(SplitOf(split, 1), MIN_TIMESTAMP, tracker, watermark):
        batch = element.value
        if getattr(batch, "value", None) is not None:
            rejects += batch.value.to_pylist()
        elif hasattr(batch, "to_pylist"):
            rows += batch.to_pylist()
    return rows, rejects, watermark


def late(rows: list[dict[str, Any]]) -> set[str]:
    """Devices with a reading behind its partition's watermark."""
    return {
        row["id"] for row in rows if row["_watermark"] and row["_event_time"] < row["_watermark"]
    }


@pytest.mark.parametrize("wrong", [1, 3])
def test_no_other_device_is_late_in_any_batches(
    kafka: Any, send: Any, tmp_path: Path, wrong: int
) -> None:
    send("t", messages(readings(wrong)))
    found = []
    for size in (1, 7, 50, 20_000):
        rows, rejects, watermark = read(source(tmp_path, batch_rows=size))
        assert len(rows) == DEVICES * ROUNDS
        assert not rejects
        assert not late(rows)
        assert watermark.reported[-1] == (NOW + (ROUNDS - 1) * 10_000) / 1000 - 5
        found.append([(row["_offset"], row["_watermark"]) for row in rows])
    assert all(one == found[0] for one in found)


def test_every_reading_advances_the_watermark_if_the_job_says_so(
    kafka: Any, send: Any, tmp_path: Path
) -> None:
    send("t", messages(readings(1)))
    rows, _, _ = read(source(tmp_path, max_ahead=None))
    assert late(rows) == {f"d{device}" for device in range(1, DEVICES)}


def test_the_majority_is_right_where_most_clocks_are_ahead(
    kafka: Any, send: Any, tmp_path: Path
) -> None:
    sent = [
        (f"d{device}", NOW + number * 10_000 + (DAY if device < 7 else 0))
        for number in range(ROUNDS)
        for device in range(DEVICES)
    ]
    send("t", messages(sent))
    rows, _, _ = read(source(tmp_path))
    assert late(rows) == {"d7", "d8", "d9"}


def test_a_clock_is_judged_by_a_timestamp_that_the_device_did_not_set(
    kafka: Any, send: Any, tmp_path: Path
) -> None:
    stamped = [
        (value, key, min(at, NOW + 400_000), 0) for value, key, at, _ in messages(readings(1))
    ]
    send("t", stamped)
    rows, rejects, _ = read(source(tmp_path))
    assert {row["id"] for row in rows} == {f"d{device}" for device in range(1, DEVICES)}
    assert len(rejects) == ROUNDS
    assert {row["reason"] for row in rejects} == {"from_the_future"}


class Message:
    """A message as confluent-kafka gives it."""

    def __init__(self, kind: int) -> None:
        self.kind = kind

    def timestamp(self) -> tuple[int, int]:
        return self.kind, NOW

    def key(self) -> None:
        return None

    value = headers = key

    def offset(self) -> int:
        return 3


@pytest.mark.parametrize("kind", [TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME])
def test_the_brokers_time_is_the_arrival_as_a_producers_is(kind: int) -> None:
    assert Messages.of([Message(kind)]).received.tolist() == [NOW * 1000]


def test_a_restored_split_without_a_clock_continues_from_its_greatest_event_time(
    tmp_path: Path,
) -> None:
    made = source(tmp_path)
    clock = SplitClock.of(made, NOW * 1000)
    assert clock.consensus == PartitionClock.at(NOW * 1000)
    assert clock.claim(12) == (12, NOW * 1000, clock.consensus)
    watermarks, ahead, after = clock.follow(np.array([(NOW + DAY) * 1000]), np.array([9]))
    assert (watermarks.tolist(), ahead) == ([(NOW - 5_000) * 1000], 1)
    assert replace(after, consensus=None) == replace(clock, consensus=None)


def test_an_idle_partition_with_messages_far_apart_keeps_up_with_the_clock_on_the_wall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message is a day after the one before, and so ahead of the partition's clock."""
    made = source(tmp_path)
    reader, moment = ReadSplit(made, "read", live=True), [1000.0]
    reader.setup()
    monkeypatch.setattr("tocsin.engines.beam.io.source_dofn.time.monotonic", lambda: moment[0])

    class Beam:
        reached: Any = MIN_TIMESTAMP

        def current_watermark(self) -> Any:
            return self.reached

        def set_watermark(self, value: Any) -> None:
            self.reached = value

    watermark, split = Beam(), Split("t", 0, 0, None)
    clock = SplitClock.of(made, NOW * 1000)
    for day in range(5):
        time = np.array([(NOW + day * DAY) * 1000])
        _, ahead, clock = clock.follow(time, np.array([day]))
        assert ahead == (day > 0)
        nothing = Fetched(pa.record_batch({}), time, time, time, day + 1, 1)
        reader._report(split, nothing, clock.greatest, watermark)
        reader._last_read[split.identity] = moment[0]
        moment[0] += DAY / 1000
        reader._advance_idle(split, reader._idle_from(split, clock), watermark)
        assert float(watermark.reached) == (NOW + (day + 1) * DAY) / 1000 - 5


@pytest.mark.parametrize("value", ["0 s", "-1 s"])
def test_max_ahead_is_a_time_over_0(tmp_path: Path, value: str) -> None:
    with pytest.raises(ValueError, match="max_ahead"):
        source(tmp_path, max_ahead=value)
