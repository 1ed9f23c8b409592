"""A Source as a splittable DoFn: checkpoints hold the position and watermark of each split."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam import coders
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Duration

from tocsin.engines.beam.io.batch_coder import BatchType
from tocsin.engines.beam.io.partition_discovery import Discover
from tocsin.engines.beam.io.restrictions import (
    ENDED,
    OffsetRestriction,
    OffsetRestrictionTracker,
    SplitOf,
    clipped,
)
from tocsin.engines.beam.operators.metrics import SplitGauges, StepCounter
from tocsin.engines.reading.judged_rows import Judge
from tocsin.engines.reading.split_clock import SplitClock
from tocsin.kernels.batch import BEGINNING, EndOfInput, end_marker
from tocsin.kernels.time.durations import parse_duration
from tocsin.parts.source import REJECTS_SCHEMA, Fetched, Source, Split

# Seconds of reading after which a live split that is behind permits a checkpoint. A split that
# keeps up permits it after the source's `linger`, so that a reading does not wait for others.
SLICE = 0.5
# A split is behind if more readings than this are available and unread.
BEHIND = 20_000
# Readings of a live split's next batch: as many as the downstream steps handle in a second, by
# their time for the last batch, and at most twice as many as the last. A slow sink thus slows
# reading down, and blocks no checkpoint.
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 1_000, 50, 1 << 20
# Seconds without a reading after which a live split pauses, and seconds of that pause, which
# Flink's runner rounds down.
QUIET = 10.0
REST = 1.2


# What tells a split from others, see `Split.identity`.
_Identity = tuple[str | None, int]


class _Restrictions(RestrictionProvider):  # type: ignore[misc]
    def initial_restriction(self, element: SplitOf) -> OffsetRestriction:
        return OffsetRestriction(element.split.start, element.split.stop, BEGINNING)

    def create_tracker(self, restriction: OffsetRestriction) -> OffsetRestrictionTracker:
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: SplitOf, restriction: OffsetRestriction) -> int:
        stop = restriction.stop if restriction.stop is not None else restriction.start + 1_000_000
        return max(stop - restriction.start, 0)

    def restriction_coder(self) -> Any:
        return coders.registry.get_coder(object)

    def truncate(
        self, element: SplitOf, restriction: OffsetRestriction
    ) -> OffsetRestriction | None:
        return restriction if restriction.stop is not None else None


class ReadSplit(beam.DoFn):  # type: ignore[misc]
    """Reads one split.

    Emits rows with system columns, rejects, and an end marker after a bounded split.
    """

    def __init__(self, source: Source, step: str, live: bool) -> None:
        self.source = source
        self.step = step
        self.live = live
        self.schema = source.schema_of_rows()
        idle = getattr(source, "idle_after", None)
        self.idle_after = parse_duration(idle) if idle else None

    def setup(self) -> None:
        """Prepare the worker's state by partition."""
        self.counter = StepCounter(self.step)
        self._judge = Judge(self.source, self.step)
        # Position and iterator.
        self._iterators: dict[_Identity, tuple[int, Iterator[Fetched | None]]] = {}
        # Monotonic time of the last reading.
        self._last_read: dict[_Identity, float] = {}
        # The watermark after the last reading, microseconds.
        self._reported: dict[_Identity, int] = {}
        self._keeps_up: set[_Identity] = set()
        self._gauges: dict[int, SplitGauges] = {}
        self._piece = FIRST_PIECE

    def process(
        self,
        part: SplitOf,
        timestamp: Any = beam.DoFn.TimestampParam,
        tracker: Any = beam.DoFn.RestrictionParam(_Restrictions()),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(
            ManualWatermarkEstimator.default_provider()
        ),
    ) -> Iterator[Any]:
        """Read for a slice of time, or to the end of a bounded split.

        timestamp: the watermark at the split's discovery.
        """
        restriction: OffsetRestriction = tracker.current_restriction()
        split, clock = (
            part.split,
            SplitClock.of(self.source, restriction.greatest, restriction.clock),
        )
        until = time.monotonic() + self._begin_slice(split)
        for fetched in self._reader(split, restriction.start):
            if fetched is None:
                if self.live:
                    self._keeps_up.add(split.identity)
                    quiet = self._advance_idle(split, self._idle_from(split, clock), watermark)
                    tracker.defer_remainder(Duration.of(REST if quiet > QUIET else 0))
                    return
                continue
            before = watermark.current_watermark() or timestamp
            with self.counter.at_work():
                judged = self._judge.judge(fetched, split, clock, _reported(before))
            rows, clock = judged.rows, judged.clock
            self.counter.add(**judged.counts)
            if not tracker.try_claim(clock.claim(fetched.position)):
                self._iterators.pop(split.identity, None)
                return
            self._note_progress(split, fetched)
            if rows.num_rows:
                emitted = time.monotonic()
                yield beam.transforms.window.TimestampedValue(rows, before)
                self._adapt_piece(time.monotonic() - emitted)
            if judged.rejects is not None:
                yield beam.pvalue.TaggedOutput(
                    "rejects", beam.transforms.window.TimestampedValue(judged.rejects, before)
                )
            self._report(split, fetched, clock.greatest, watermark)
            if self.live and time.monotonic() > until:
                tracker.defer_remainder(Duration.of(0))
                return
        if restriction.stop is None:
            # Another topic has taken the place of the split's.
            for known in (self._iterators, self._last_read, self._reported):
                known.pop(split.identity, None)
            tracker.try_claim(clock.claim(ENDED))
        elif tracker.try_claim(clock.claim(restriction.stop)):
            self._judge.end()
            end = self._end_of(part, clock.best())
            yield beam.transforms.window.TimestampedValue(
                end, watermark.current_watermark() or timestamp
            )

    def _end_of(self, part: SplitOf, greatest: int) -> pa.RecordBatch:
        reached = None if greatest <= BEGINNING else greatest - self.source.out_of_orderness
        group = f"{part.split.topic}:{part.split.partition}"
        return end_marker(self.schema, EndOfInput(group, part.of, reached))

    def _begin_slice(self, split: Split) -> float:
        """Seconds of this split's turn: the splits of one instance take turns."""
        turn = self.source.linger / 1e6 if split.identity in self._keeps_up else SLICE
        share = turn / (len(self._last_read) or 1)
        if self.live:
            self.source._wait = share  # noqa: SLF001 - only the engine sets a source's limits
            self.source._piece = self._piece  # noqa: SLF001 - as above
        return share

    def _note_progress(self, split: Split, fetched: Fetched) -> None:
        self._iterators[split.identity] = (fetched.position, self._iterators[split.identity][1])
        self._last_read[split.identity] = time.monotonic()
        if self._is_behind(fetched):
            self._keeps_up.discard(split.identity)
        else:
            self._keeps_up.add(split.identity)

    def _adapt_piece(self, seconds: float) -> None:
        """Adapt the size of the next batch to the time that downstream steps took for this one."""
        self._piece = min(
            max(int(self._piece * min(1.0 / max(seconds, 0.1), 2.0)), LEAST_PIECE), MOST_PIECE
        )
        if self.live:
            self.source._piece = self._piece  # noqa: SLF001 - as in _begin_slice

    @staticmethod
    def _is_behind(fetched: Fetched) -> bool:
        """Whether large batches matter more than early ones. Some readings always wait."""
        if fetched.end is None:
            return True
        waiting: int = (fetched.end - fetched.position) * max(fetched.batch.num_rows, 1)
        return waiting > BEHIND * max(fetched.messages, 1)

    def _reader(self, split: Split, position: int) -> Iterator[Fetched | None]:
        """The iterator at `position`: the last slice's if it fits, else a new one."""
        last = self._iterators.get(split.identity)
        if last is None or last[0] != position or not self.live:
            self._iterators[split.identity] = (position, self.source.read(split, position))
        return self._iterators[split.identity][1]

    def _report(self, split: Split, fetched: Fetched, greatest: int, watermark: Any) -> None:
        """Advance Beam's watermark, and set the split's gauges."""
        if greatest > BEGINNING:
            self._advance(watermark, greatest - self.source.out_of_orderness)
        if self.live and watermark.current_watermark() is not None:
            self._reported[split.identity] = watermark.current_watermark().micros
        gauges = self._gauges.get(split.partition)
        if gauges is None:
            gauges = self._gauges[split.partition] = SplitGauges(self.step, split.partition)
        lag = None if fetched.end is None else max(fetched.end - fetched.position, 0)
        reached = (
            (greatest - self.source.out_of_orderness) // 1000 if greatest > BEGINNING else None
        )
        gauges.set(position=fetched.position, lag=lag, watermark=reached)

    @staticmethod
    def _advance(watermark: Any, micros: int) -> None:
        # Beam's runners keep milliseconds.
        moment = clipped(micros // 1000 * 1000)
        if watermark.current_watermark() is None or moment > watermark.current_watermark():
            watermark.set_watermark(moment)

    def _idle_from(self, split: Split, clock: SplitClock) -> int:
        """The event time from which an idle partition's watermark follows the clock on the wall.

        Where messages are far apart, each may be ahead of the partition's clock. The watermark then
        continues from where it was at the last message.
        """
        reported = self._reported.get(split.identity)
        if reported is None or not clock.is_contested:
            return clock.best()
        return max(clock.best(), reported + self.source.out_of_orderness)

    def _advance_idle(self, split: Split, greatest: int, watermark: Any) -> float:
        """Advance an idle partition's watermark with the clock after `idle_after`.

        Returns the seconds since the partition's last reading.
        """
        now = time.monotonic()
        since = self._last_read.setdefault(split.identity, now)
        quiet = int((now - since) * 1_000_000)
        if self.idle_after is not None and quiet > self.idle_after:
            if greatest > BEGINNING:
                self._advance(watermark, greatest - self.source.out_of_orderness + quiet)
            else:
                self._advance(
                    watermark,
                    int(time.time() * 1_000_000) - self.source.out_of_orderness - self.idle_after,
                )
        return now - since


def _reported(watermark: Any) -> int:
    """A watermark of Beam's in microseconds; BEGINNING for none."""
    return BEGINNING if watermark <= MIN_TIMESTAMP else int(watermark.micros)


class ReadLiveSplit(ReadSplit):
    """Reads a split without end."""

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(
        self,
        part: SplitOf,
        timestamp: Any = beam.DoFn.TimestampParam,
        tracker: Any = beam.DoFn.RestrictionParam(_Restrictions()),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(
            ManualWatermarkEstimator.default_provider()
        ),
    ) -> Iterator[Any]:
        """Read for a slice of time."""
        yield from super().process(part, timestamp, tracker, watermark)


class Read(beam.PTransform):  # type: ignore[misc]
    """Reads a source's splits in parallel. live: find added splits and never end."""

    def __init__(self, source: Source, step: str, live: bool = False) -> None:
        super().__init__()
        self.source = source
        self.step = step
        self.live = live

    def expand(self, pbegin: Any) -> dict[str, Any]:
        """Collections `output` and `rejects`. Raises Failure where the source does not answer."""
        splits = self.source.splits(self.live)
        kind = ReadLiveSplit if self.live else ReadSplit
        if self.live:
            start = pbegin | "Start" >> beam.Create([splits], reshuffle=False)
            parts = (
                start
                | "Discover" >> beam.ParDo(Discover(self.source))
                | "Spread" >> beam.Reshuffle()
            )
        else:
            parts = pbegin | "Splits" >> beam.Create(
                [SplitOf(split, len(splits)) for split in splits], reshuffle=True
            )
        outputs = parts | "Read" >> beam.ParDo(
            kind(self.source, self.step, self.live)
        ).with_outputs("rejects", main="output")
        outputs.output.element_type = BatchType(self.source.schema_of_rows())
        outputs.rejects.element_type = BatchType(REJECTS_SCHEMA)
        return {"output": outputs.output, "rejects": outputs.rejects}
