"""A Source as a splittable DoFn: a split is a restriction, its position and watermark are in the checkpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam import coders
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Duration

from tocsin.engines.beam.io.batch_coder import BatchType
from tocsin.engines.beam.io.partition_discovery import Discover
from tocsin.engines.beam.io.restrictions import Span, SpanTracker, SplitOf, clipped
from tocsin.engines.beam.operators.metrics import SplitGauges, StepCounter
from tocsin.kernels.batch import (
    BEGINNING,
    INDEX,
    OFFSET,
    PARTITION,
    EndOfInput,
    Int64s,
    end_marker,
    timestamps,
    user_columns,
)
from tocsin.kernels.time.durations import parse_duration
from tocsin.kernels.time.lateness import from_the_future, running_watermarks
from tocsin.parts.source import REJECTS, REJECTS_SCHEMA, Fetched, Source, Split, event_micros
from tocsin.steps.state.progress import with_reached

# Seconds of reading before live splits that are behind let a checkpoint be taken. Those that keep up do it after the source's
# `linger`, so that a reading does not wait for others.
SLICE = 0.5
# Readings of a split that are there and not yet read, from which on it is behind.
BEHIND = 20_000
# Readings of a live piece, to begin with; then as many as the following steps are done with in a second, by how long they took
# for the last, at most twice as many as that one. A sink that is slow so holds the reading back, and no checkpoint up.
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 1_000, 50, 1 << 20
# Seconds without a reading after which a live split rests, and of rest, of which Flink's runner takes the whole seconds only.
QUIET = 10.0
REST = 1.2


class _Spans(RestrictionProvider):  # type: ignore[misc]
    def initial_restriction(self, element: SplitOf) -> Span:
        return Span(element.split.start, element.split.stop, BEGINNING)

    def create_tracker(self, restriction: Span) -> SpanTracker:
        return SpanTracker(restriction)

    def restriction_size(self, element: SplitOf, restriction: Span) -> int:
        stop = restriction.stop if restriction.stop is not None else restriction.start + 1_000_000
        return max(stop - restriction.start, 0)

    def restriction_coder(self) -> Any:
        return coders.registry.get_coder(object)

    def truncate(self, element: SplitOf, restriction: Span) -> Span | None:
        return restriction if restriction.stop is not None else None


class ReadSplit(beam.DoFn):  # type: ignore[misc]
    """Reads one split: rows with system columns, rejects, and at the end of a bounded split a marker."""

    def __init__(self, source: Source, step: str, live: bool) -> None:
        self.source = source
        self.step = step
        self.live = live
        self.schema = source.schema_of_rows()
        idle = getattr(source, "idle_after", None)
        self.idle_after = parse_duration(idle) if idle else None

    def setup(self) -> None:
        """Once a worker."""
        self.counter = StepCounter(self.step)
        self._iterators: dict[int, tuple[int, Iterator[Fetched | None]]] = {}
        self._heard: dict[int, tuple[float, int]] = {}
        self._keeps_up: set[int] = set()
        self._gauges: dict[int, SplitGauges] = {}
        self._piece = FIRST_PIECE

    def process(
        self,
        part: SplitOf,
        timestamp: Any = beam.DoFn.TimestampParam,
        tracker: Any = beam.DoFn.RestrictionParam(_Spans()),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(
            ManualWatermarkEstimator.default_provider()
        ),
    ) -> Iterator[Any]:
        """Read for a slice, or to the end of a bounded split. timestamp: the watermark when the split was found."""
        span: Span = tracker.current_restriction()
        split = part.split
        position, greatest = span.start, span.greatest
        # The splits of an instance take turns.
        turn = self.source.linger / 1e6 if split.partition in self._keeps_up else SLICE
        share = turn / (len(self._heard) or 1)
        if self.live:
            self.source._wait = share
            self.source._piece = self._piece
        until = time.monotonic() + share
        for fetched in self._reader(split, position):
            if fetched is None:
                if self.live:
                    self._keeps_up.add(split.partition)
                    quiet = self._advance_idle(split.partition, greatest, watermark)
                    tracker.defer_remainder(Duration.of(REST if quiet > QUIET else 0))
                    return
                continue
            before = watermark.current_watermark() or timestamp
            with self.counter.at_work():
                rows, rejects, greatest = self._judge(fetched, split, greatest, before.micros)
            position = fetched.position
            if not tracker.try_claim((position, greatest)):
                self._iterators.pop(split.partition, None)
                return
            self._iterators[split.partition] = (position, self._iterators[split.partition][1])
            self._heard[split.partition] = (time.monotonic(), greatest)
            (self._keeps_up.discard if self._is_behind(fetched) else self._keeps_up.add)(
                split.partition
            )
            if rows.num_rows:
                if greatest > BEGINNING:
                    rows = with_reached(
                        rows, {str(split.partition): greatest - self.source.out_of_orderness}
                    )
                given = time.monotonic()
                yield beam.transforms.window.TimestampedValue(rows, before)
                self._suit(time.monotonic() - given)
            if rejects is not None:
                yield beam.pvalue.TaggedOutput(
                    "rejects", beam.transforms.window.TimestampedValue(rejects, before)
                )
            self._report(watermark, greatest)
            self._tell(split.partition, fetched, greatest)
            if self.live and time.monotonic() > until:
                tracker.defer_remainder(Duration.of(0))
                return
        if span.stop is not None:
            if not tracker.try_claim((span.stop, greatest)):
                return
            reached = None if greatest <= BEGINNING else greatest - self.source.out_of_orderness
            end = EndOfInput(f"{split.topic}:{split.partition}", part.of, reached)
            yield beam.transforms.window.TimestampedValue(
                end_marker(self.schema, end), watermark.current_watermark() or timestamp
            )

    def _suit(self, seconds: float) -> None:
        """Suit the next piece to how long the steps that follow took for this one."""
        self._piece = min(
            max(int(self._piece * min(1.0 / max(seconds, 0.1), 2.0)), LEAST_PIECE), MOST_PIECE
        )
        if self.live:
            self.source._piece = self._piece

    @staticmethod
    def _is_behind(fetched: Fetched) -> bool:
        """Whether so much waits that large pieces are worth more than soon ones. Some has always come in the meantime."""
        if fetched.end is None:
            return True
        waiting: int = (fetched.end - fetched.position) * max(fetched.batch.num_rows, 1)
        return waiting > BEHIND * max(fetched.messages, 1)

    def _reader(self, split: Split, position: int) -> Iterator[Fetched | None]:
        """The iterator that stands at `position`, or a new one."""
        known = self._iterators.get(split.partition)
        if known is None or known[0] != position or not self.live:
            self._iterators[split.partition] = (position, self.source.read(split, position))
        return self._iterators[split.partition][1]

    def _report(self, watermark: Any, greatest: int) -> None:
        if greatest > BEGINNING:
            self._set(watermark, greatest - self.source.out_of_orderness)

    def _tell(self, partition: int, fetched: Fetched, greatest: int) -> None:
        gauges = self._gauges.get(partition)
        if gauges is None:
            gauges = self._gauges[partition] = SplitGauges(self.step, partition)
        lag = None if fetched.end is None else max(fetched.end - fetched.position, 0)
        reached = (
            (greatest - self.source.out_of_orderness) // 1000 if greatest > BEGINNING else None
        )
        gauges.set(position=fetched.position, lag=lag, watermark=reached)

    @staticmethod
    def _set(watermark: Any, micros: int) -> None:
        # Beam's runners keep milliseconds.
        moment = clipped(micros // 1000 * 1000)
        if watermark.current_watermark() is None or moment > watermark.current_watermark():
            watermark.set_watermark(moment)

    def _advance_idle(self, partition: int, greatest: int, watermark: Any) -> float:
        """A live partition that has nothing to say moves on with the clock after `idle_after`. Gives the seconds of quiet."""
        now = time.monotonic()
        since, _ = self._heard.setdefault(partition, (now, greatest))
        quiet = int((now - since) * 1_000_000)
        if self.idle_after is not None and quiet > self.idle_after:
            if greatest > BEGINNING:
                self._set(watermark, greatest - self.source.out_of_orderness + quiet)
            else:
                self._set(
                    watermark,
                    int(time.time() * 1_000_000) - self.source.out_of_orderness - self.idle_after,
                )
        return now - since

    def _judge(
        self, fetched: Fetched, split: Split, greatest: int, reported: int
    ) -> tuple[pa.RecordBatch, pa.RecordBatch | None, int]:
        """Rows with system columns; rows without event time or from the future among the rejects.

        reported: the watermark that was told to Beam. While a partition was idle it ran ahead of the readings, and readings
        behind it are late, as windows may have closed.
        """
        times = event_micros(fetched.batch.column(self.source.event_time))
        missing = times <= BEGINNING
        future = from_the_future(times, fetched.received, self.source.max_future) & ~missing
        bad = missing | future
        rejected = list(fetched.rejected)
        for row in np.flatnonzero(bad).tolist():
            rejected.append(self._reject(fetched, split, row, bool(missing[row])))
        good = ~bad
        batch = fetched.batch if good.all() else fetched.batch.filter(pa.array(good))
        at = greatest - self.source.out_of_orderness if greatest > BEGINNING else 0
        watermarks, greatest = running_watermarks(
            times[good], greatest, self.source.out_of_orderness
        )
        if reported > MIN_TIMESTAMP.micros:
            watermarks = np.maximum(watermarks, reported)
        columns = [
            *batch.columns,
            timestamps(times[good]),
            timestamps(watermarks),
            pa.repeat(pa.scalar(split.partition, pa.int32()), batch.num_rows),
            pa.array(fetched.offsets[good]),
            pa.array(fetched.index[good].astype(np.int32)),
        ]
        rows = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        read = rows.num_rows + len(rejected)
        self.counter.add(read=read, kept=rows.num_rows, rejected=len(rejected))
        return rows, rejects_batch(rejected, at) if rejected else None, greatest

    def _reject(self, fetched: Fetched, split: Split, row: int, missing: bool) -> dict[str, Any]:
        key, value = fetched.original(row) if fetched.original is not None else (None, None)
        if value is None:
            value = row_as_json(fetched.batch.slice(row, 1))
        received = int(fetched.received[row])
        name = self.source.event_time
        seen = fetched.batch.column(name)[row].as_py() if not missing else None
        return {
            "topic": split.topic,
            "partition": split.partition,
            "offset": int(fetched.offsets[row]),
            "index": int(fetched.index[row]),
            "timestamp": received if received > BEGINNING else None,
            "key": key,
            "value": value,
            "step": self.step,
            "reason": "no_event_time" if missing else "from_the_future",
            "message": f"{name} is null or unreadable"
            if missing
            else f"{name} {seen} is more than max_future after arrival",
        }


def row_as_json(row: pa.RecordBatch) -> bytes:
    """One row's own columns as a JSON object, for rejects that have no message of their own."""
    return json.dumps(
        row.select(user_columns(row.schema)).to_pylist()[0], default=str, ensure_ascii=False
    ).encode()


def rejects_batch(rows: list[dict[str, Any]], at: Int64s | int) -> pa.RecordBatch:
    """Rejects as a batch. at: the partition's watermark when they came, which is their event time in a lake."""
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in REJECTS]
    times = np.broadcast_to(np.maximum(np.asarray(at, np.int64), 0), len(rows)).astype(np.int64)
    where = {PARTITION: columns[1], OFFSET: columns[2], INDEX: columns[3]}
    system = [
        timestamps(times),
        pa.nulls(len(rows), REJECTS_SCHEMA.field("_watermark").type),
        *where.values(),
    ]
    return pa.RecordBatch.from_arrays([*columns, *system], schema=REJECTS_SCHEMA)


class ReadLiveSplit(ReadSplit):
    """The same, for splits without end."""

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(
        self,
        part: SplitOf,
        timestamp: Any = beam.DoFn.TimestampParam,
        tracker: Any = beam.DoFn.RestrictionParam(_Spans()),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(
            ManualWatermarkEstimator.default_provider()
        ),
    ) -> Iterator[Any]:
        """Read for a slice."""
        yield from super().process(part, timestamp, tracker, watermark)


class Read(beam.PTransform):  # type: ignore[misc]
    """The source's splits, as they are when the pipeline is built, read in parallel."""

    def __init__(self, source: Source, step: str, live: bool = False) -> None:
        super().__init__()
        self.source = source
        self.step = step
        self.live = live

    def expand(self, pbegin: Any) -> dict[str, Any]:
        """Collections `output` and `rejects`."""
        splits = self.source.splits(self.live)
        kind = ReadLiveSplit if self.live else ReadSplit
        if self.live:
            seed = pbegin | "Start" >> beam.Create([splits], reshuffle=False)
            parts = (
                seed
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
