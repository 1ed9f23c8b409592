"""Judges what a source read: rows with event time and watermark, and readings that it rejects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.engines.reading.reject_rows import rejects_batch, row_as_json, shown
from tocsin.engines.reading.split_clock import SplitClock
from tocsin.engines.reading.time_range_watch import TimeRangeWatch
from tocsin.kernels.batch import BEGINNING, timestamps
from tocsin.kernels.time.event_times import event_micros, why_no_time
from tocsin.kernels.time.lateness import from_the_future
from tocsin.parts.source import Fetched, Source, Split
from tocsin.steps.state.progress import with_progress


@dataclass(frozen=True)
class Judged:
    """Rows with system columns, rejects or None, the clock after them, and counts by fate."""

    rows: pa.RecordBatch
    rejects: pa.RecordBatch | None
    clock: SplitClock
    counts: dict[str, int] = field(default_factory=dict)


class Judge:
    """Judges the readings of one source. step: the name that its rejects carry."""

    def __init__(self, source: Source, step: str) -> None:
        self.source = source
        self.step = step
        self.schema = source.schema_of_rows()
        self._watch = TimeRangeWatch(step, source.event_time, source.time_unit)

    def judge(self, fetched: Fetched, split: Split, clock: SplitClock, reported: int) -> Judged:
        """The rows of a batch, in offset order.

        Rows without event time or from the future are rejects. reported: the watermark that the
        engine has passed on, or BEGINNING. While a partition was idle, it ran ahead of the
        readings. Readings behind it are late, because windows may have closed.
        """
        times = event_micros(fetched.batch.column(self.source.event_time), self.source.time_unit)
        self._watch.add(fetched.batch.column(self.source.event_time), times)
        missing = times <= BEGINNING
        future = from_the_future(times, fetched.received, self.source.max_future) & ~missing
        bad = missing | future
        rejected = [
            *fetched.rejected,
            *(
                self._reject(fetched, split, row, bool(missing[row]))
                for row in np.flatnonzero(bad).tolist()
            ),
        ]
        good = ~bad
        batch = fetched.batch if good.all() else fetched.batch.filter(pa.array(good))
        at = max(clock.greatest - self.source.out_of_orderness, 0)
        watermarks, ahead, clock = clock.follow(times[good], fetched.offsets[good])
        if reported > BEGINNING:
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
        if rows.num_rows and clock.greatest > BEGINNING:
            reached = clock.greatest - self.source.out_of_orderness
            rows = with_progress(rows, {str(split.partition): reached})
        counts = {
            "read": rows.num_rows + len(rejected),
            "kept": rows.num_rows,
            "rejected": len(rejected),
            "ahead": ahead,
            "no_event_time": int(missing.sum()),
            "from_the_future": int(future.sum()),
        }
        return Judged(rows, rejects_batch(rejected, at) if rejected else None, clock, counts)

    def end(self) -> None:
        """A split has ended: warn if most event times were outside of the usual years."""
        self._watch.judge()

    def _reject(self, fetched: Fetched, split: Split, row: int, missing: bool) -> dict[str, Any]:
        key, value = fetched.original(row) if fetched.original is not None else (None, None)
        if value is None:
            value = row_as_json(fetched.batch.slice(row, 1))
        received = int(fetched.received[row])
        name = self.source.event_time
        seen = shown(fetched.batch.column(name), row)
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
            "message": f"{name} {why_no_time(seen, self.source.time_unit)}"
            if missing
            else f"{name} {seen} is more than max_future after arrival",
        }
