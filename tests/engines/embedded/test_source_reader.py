"""A live source: partitions that are added, that fall idle, and that are far ahead of others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tocsin.engines.embedded import source_reader
from tocsin.engines.embedded.counts import Counts
from tocsin.engines.embedded.source_reader import SourceReader
from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import BEGINNING, FOREVER
from tocsin.parts.source import Fetched, Source, Split

SECOND = 1_000_000
NOW = int(time.time()) * SECOND
TOPIC: dict[int, list[int]] = {}
"""Event times (microseconds) by partition. None of a copy of the source: a thread has one."""

EARLIEST: dict[int, int] = {}
"""The first event time of a partition, if a test says it."""


ID = ["id"]
"""The id of the topic."""


class Feed(Source):
    """Reads TOPIC."""

    idle_after: str = "100 ms"

    def fields(self) -> list[pa.Field]:
        return [pa.field("at", pa.timestamp("us", tz="UTC"))]

    def topic_name(self) -> str:
        return "feed"

    def splits(self, live: bool) -> list[Split]:
        return [
            Split("feed", number, 0, None if live else len(times), "id")
            for number, times in TOPIC.items()
        ]

    def added(self, known: int, topic_id: str | None) -> list[Split] | None:
        if -1 in TOPIC:
            raise Failure("the broker is gone")
        if -2 in TOPIC:
            return None
        known = known if topic_id == ID[0] else 0
        return [Split("feed", number, 0, None, ID[0]) for number in sorted(TOPIC)[known:]]

    def earliest(self, split: Split) -> int | None:
        return EARLIEST.get(split.partition)

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        at = start
        if split.topic_id != ID[0]:
            return
        while split.stop is None or at < split.stop:
            times = TOPIC[split.partition][at : at + 5]
            if not times:
                yield None
                continue
            offsets = np.arange(at, at + len(times))
            at += len(times)
            batch = pa.RecordBatch.from_arrays(
                [pa.array(times, pa.timestamp("us", tz="UTC"))], names=["at"]
            )
            zeros = np.zeros(len(times), np.int64)
            received = np.full(len(times), BEGINNING)
            end = len(TOPIC[split.partition])
            yield Fetched(batch, offsets, zeros, received, at, len(times), end=end)


def reader_of(*, live: bool = True, **topic: list[int]) -> SourceReader:
    TOPIC.clear()
    EARLIEST.clear()
    ID[0] = "id"
    TOPIC.update({int(name[1:]): times for name, times in topic.items()})
    feed = Feed.model_validate({"event_time": "at", "out_of_orderness": "1 s"})
    return SourceReader("Feed", feed, Counts(), live=live, positions=[])


def all_of(reader: SourceReader, rounds: int = 1) -> list[Any]:
    found = [batch for _ in range(rounds) for _, batch in reader.read(1_000)]
    return [time for batch in found for time in batch.column("_event_time").to_pylist()]


def until(reader: SourceReader, true: Any) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        all_of(reader)
        time.sleep(0.01)


def test_with_an_end_the_split_that_is_behind_is_read_first() -> None:
    early, late = [NOW + n * SECOND for n in range(20)], [NOW + n * SECOND for n in range(60, 80)]
    reader = reader_of(live=False, p0=late, p1=early)
    firsts = []
    while reader.watermark < FOREVER:
        for _, batch in reader.read(1):
            firsts.append(batch.column("_partition")[0].as_py())
    # Each is read once, and then the earlier one to its end.
    assert firsts == [0, 1, 1, 1, 1, 0, 0, 0]
    assert reader.end == early[-1] - SECOND


def test_a_live_split_that_is_far_ahead_waits_for_those_that_are_behind() -> None:
    behind = [NOW - 3600 * SECOND + n for n in range(100_000)]
    reader = reader_of(p0=behind, p1=[NOW + n for n in range(50)])
    for _ in range(5):
        all_of(reader)
    assert {one.split.partition: one.next for one in reader.readers} == {0: 25, 1: 5}
    reader.close()


def test_a_split_that_is_added_is_found_and_holds_back_nothing_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source_reader, "DISCOVERY_INTERVAL", 0.02)
    reader = reader_of(p0=[NOW])
    until(reader, lambda: reader.watermark >= NOW - SECOND)
    TOPIC[1] = [NOW + 5 * SECOND, NOW - 60 * SECOND]
    until(reader, lambda: any(one.split.partition == 1 and one.next == 2 for one in reader.readers))
    added = next(one for one in reader.readers if one.split.partition == 1)
    # The second reading was behind the watermark at which the split was found: it is late.
    assert added.watermark >= NOW
    reader.close()


def test_an_idle_split_follows_the_clock_and_its_next_reading_is_late() -> None:
    reader = reader_of(p0=[NOW - 100 * SECOND])
    before = reader.readers[0].position()
    assert before.watermark == BEGINNING
    all_of(reader)
    start = reader.readers[0].watermark
    assert start == NOW - 101 * SECOND
    until(reader, lambda: reader.readers[0].watermark > start + SECOND // 2)
    ahead = reader.readers[0].watermark
    TOPIC[0].append(NOW - 100 * SECOND)
    found = [batch for _, batch in reader.read(10)]
    (batch,) = found or [batch for _, batch in reader.read(10)]
    assert batch.column("_watermark").cast(pa.int64())[0].as_py() >= ahead
    reader.close()


def test_a_failure_of_the_search_is_a_failure_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_reader, "DISCOVERY_INTERVAL", 0.02)
    reader = reader_of(p0=[NOW])
    TOPIC[-1] = []
    with pytest.raises(Failure, match="the broker is gone"):
        until(reader, lambda: False)
    reader.close()


def test_a_split_whose_first_time_is_known_is_opened_when_the_others_have_come_so_far() -> None:
    days = [[NOW + (100 * day + n) * SECOND for n in range(20)] for day in range(3)]
    TOPIC.clear()
    reader = reader_of(live=False, p0=days[2], p1=days[0], p2=days[1])
    for number, times in TOPIC.items():
        EARLIEST[number] = times[0]
    reader = SourceReader("Feed", reader.source, Counts(), live=False, positions=[])
    read, watermarks = [], []
    while reader.watermark < FOREVER:
        for _, batch in reader.read(1):
            read.append(batch.column("_partition")[0].as_py())
            watermarks.append(reader.watermark)
    assert read == [1] * 4 + [2] * 4 + [0] * 4
    assert watermarks == sorted(watermarks)
    assert watermarks[0] == days[0][0] + 3 * SECOND


def test_a_reading_before_the_known_first_time_is_late() -> None:
    reader = reader_of(live=False, p0=[NOW, NOW + SECOND, NOW + 9 * SECOND])
    EARLIEST[0] = NOW + 5 * SECOND
    reader = SourceReader("Feed", reader.source, Counts(), live=False, positions=[])
    assert reader.watermark == NOW + 5 * SECOND
    (batch,) = [batch for _, batch in reader.read(10)]
    met = batch.column("_watermark").cast(pa.int64()).to_pylist()
    assert met == [NOW + 5 * SECOND] * 3


def again(reader: SourceReader) -> SourceReader:
    """A reader that continues from the positions of another."""
    reader.close()
    return SourceReader(
        "Feed",
        reader.source,
        Counts(),
        live=True,
        positions=reader.positions(),
        discovered=reader.discovered,
    )


def test_a_reading_of_a_split_that_was_added_while_the_job_was_down_is_late() -> None:
    reader = reader_of(p0=[NOW])
    until(reader, lambda: reader.watermark >= NOW - SECOND)
    before = reader.watermark
    TOPIC[1] = [NOW - 60 * SECOND]
    reader = again(reader)
    assert reader.watermark == before
    until(reader, lambda: any(one.split.partition == 1 and one.next for one in reader.readers))
    added = next(one for one in reader.readers if one.split.partition == 1)
    # The windows of that time have closed: the watermark of the reading says so.
    assert added.watermark >= before
    reader.close()


def test_a_topic_that_was_created_again_is_not_read_twice_after_a_restart() -> None:
    reader = reader_of(p0=[NOW] * 3, p1=[NOW])
    until(reader, lambda: all(one.next for one in reader.readers))
    ID[0] = "id of the next topic"
    until(reader, lambda: [one.next for one in reader.readers] == [3, 1, 3, 1])
    reader = again(reader)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        assert all_of(reader) == []
    assert len(reader.readers) == 4
    reader.close()


def test_a_split_is_not_idle_while_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_reader, "DISCOVERY_INTERVAL", 0.02)
    reader = reader_of(p0=[NOW - 100 * SECOND])
    until(reader, lambda: reader.watermark > BEGINNING)
    TOPIC[-2] = []
    time.sleep(0.1)
    all_of(reader)
    at = reader.readers[0].watermark
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        all_of(reader)
        assert reader.readers[0].watermark == at
    # It counts as idle once the broker has been back for `idle_after`.
    del TOPIC[-2]
    until(reader, lambda: reader.readers[0].watermark > at + 100_000)
    reader.close()


def test_an_idle_split_is_not_ahead_of_the_last_answer_of_the_broker() -> None:
    reader = reader_of(p0=[int(time.time() + 3_600) * SECOND])
    until(reader, lambda: reader.watermark > BEGINNING)
    at = reader.readers[0].watermark
    time.sleep(0.3)
    all_of(reader)
    # Its clock is ahead of the wall clock, which new splits hold the watermark to anyway.
    assert reader.readers[0].watermark == at
    reader.close()


def test_a_split_without_an_answer_ends_the_round(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = reader_of(live=False, p0=[NOW])
    monkeypatch.setattr(Feed, "read", lambda *_: iter([None] * 3))
    for _ in range(3):
        # Between two rounds, a run looks whether it has to end.
        assert all_of(reader) == []
        assert reader.watermark == BEGINNING
    assert all_of(reader) == []
    assert reader.watermark == FOREVER
