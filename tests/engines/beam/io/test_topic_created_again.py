"""Splits of a live source whose topic is deleted and created again."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Timestamp

from tocsin.engines.beam.io.partition_discovery import (
    Discover,
    DiscoveredSplits,
    DiscoveryTracker,
)
from tocsin.engines.beam.io.restrictions import (
    OffsetRestriction,
    OffsetRestrictionTracker,
    SplitOf,
)
from tocsin.engines.beam.io.source_dofn import ReadLiveSplit
from tocsin.kafka import topic_identity
from tocsin.kafka.topic_identity import TopicIdentity
from tocsin.kernels.batch import BEGINNING
from tocsin.parts.source import Fetched, Source, Split

OLD = [Split("t", partition, 7, None, "old") for partition in (0, 1)]
NEW = [Split("t", partition, 0, None, "new") for partition in (0, 1, 2)]


class Recreated(Source):
    """Answers as told, and reads one reading from each split before its topic is gone."""

    event_time: str = "at"

    def fields(self) -> list[pa.Field]:
        return [pa.field("at", pa.timestamp("us", tz="UTC")), pa.field("of", pa.string())]

    def topic_name(self) -> str:
        return "t"

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        if split.topic_id == "old" and start > 7:
            return
        at = pa.array([1_772_409_600_000_000 + start], pa.timestamp("us", tz="UTC"))
        row = pa.RecordBatch.from_arrays(
            [at, pa.array([split.topic_id])], schema=pa.schema(self.fields())
        )
        one = np.array([start])
        yield Fetched(row, one, one * 0, np.array([BEGINNING]), start + 1, 1)
        while split.topic_id == "new":
            yield None


class Deferring:
    """A tracker as a DoFn sees it."""

    def __init__(self, tracker: Any) -> None:
        self.tracker = tracker
        self.rest: Any = None

    def current_restriction(self) -> Any:
        return self.tracker.current_restriction()

    def try_claim(self, position: Any) -> bool:
        return bool(self.tracker.try_claim(position))

    def defer_remainder(self, pause: Any) -> None:
        divided = self.tracker.try_split(0)
        self.rest = divided[1] if divided else None


def read(reader: ReadLiveSplit, split: Split, rest: OffsetRestriction) -> tuple[list[str], Any]:
    """The topics of the rows of one call, and the unread rest."""
    tracker = Deferring(OffsetRestrictionTracker(rest))
    found = reader.process(
        SplitOf(split, 2), MIN_TIMESTAMP, tracker, ManualWatermarkEstimator(None)
    )
    topics = [topic for one in found for topic in one.value.column("of").to_pylist()]
    assert tracker.tracker.check_done()
    return topics, tracker.rest


def discover(known: DiscoveredSplits, answer: list[Split] | None) -> tuple[list[Split], Any, Any]:
    """The emitted splits, the rest, and the watermark, where the source gives this answer."""
    source = Recreated()
    asked: list[tuple[int, str | None]] = []
    object.__setattr__(source, "added", lambda *of: asked.append(of) or answer)
    tracker, watermark = Deferring(DiscoveryTracker(known)), ManualWatermarkEstimator(Timestamp(5))
    found = [one.value.split for one in Discover(source).process(OLD, tracker, watermark)]
    assert asked == ([(known.count, known.topic_id)] if known.count else [])
    return found, tracker.rest, watermark.current_watermark()


def test_a_split_ends_with_its_topic_and_the_split_of_the_same_number_reads_on() -> None:
    reader = ReadLiveSplit(Recreated(), "Read", live=True)
    reader.setup()
    assert read(reader, NEW[0], OffsetRestriction(0, None, BEGINNING))[0] == ["new"]
    topics, rest = read(reader, OLD[0], OffsetRestriction(7, None, BEGINNING))
    assert (topics, rest) == (["old"], None)
    # The same position as the other split's: each has a reader of its own.
    topics, rest = read(reader, NEW[0], OffsetRestriction(1, None, BEGINNING))
    assert (topics, rest.start) == ([], 1)


def test_the_splits_of_the_new_topic_replace_the_known_ones() -> None:
    first, rest, _ = discover(DiscoveredSplits(0), None)
    assert (first, rest) == (OLD, DiscoveredSplits(2, "old"))
    found, rest, watermark = discover(rest, NEW)
    assert (found, rest) == (NEW, DiscoveredSplits(3, "new", ("old",)))
    assert watermark > Timestamp(5)
    assert discover(rest, [])[1] == rest
    # A broker that has not heard of the new topic.
    assert discover(rest, OLD)[:2] == ([], rest)


def test_a_source_that_cannot_say_holds_the_watermark() -> None:
    known = DiscoveredSplits(2, "old")
    assert discover(known, None) == ([], known, Timestamp(5))


def test_a_checkpoint_from_before_there_were_ids_is_read() -> None:
    old = DiscoveredSplits.__new__(DiscoveredSplits)
    old.__dict__["count"] = 2
    again = pickle.loads(pickle.dumps(old))
    assert again == DiscoveredSplits(2, None)
    more = [Split("t", 2, 0, None, "old")]
    assert discover(again, more)[1] == DiscoveredSplits(3, "old")


class Brokers(TopicIdentity):
    """Brokers that give these ids, one for each fresh question."""

    def __init__(self, known: str, *answers: str) -> None:
        self._known, self._answers, self._interval = known, list(answers), 1.0

    def first(self, patience: float) -> str | None:
        self._known = self._answers.pop(0)
        return self._known

    def latest(self) -> str | None:
        return self._known


@pytest.mark.parametrize(
    ("known", "answers", "is_another"),
    [
        ("new", [], False),
        # The reader's own last answer is older than the split.
        ("old", ["new"], False),
        # One broker of several has not heard of the new topic.
        ("old", ["old", "new"], False),
        ("newer", ["newer", "newer"], True),
    ],
)
def test_another_topic_is_confirmed_by_fresh_answers(
    known: str, answers: list[str], is_another: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_identity, "_PAUSE", 0.0)
    assert Brokers(known, *answers).is_surely_another("new") == is_another
