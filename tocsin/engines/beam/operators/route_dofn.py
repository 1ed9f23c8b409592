"""Splits batches by shard, before the shuffle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from tocsin.engines.beam.io.batch_coder import BatchCoder
from tocsin.engines.beam.operators.metrics import StepCounter
from tocsin.kernels.batch import (
    end_marker,
    end_of_input,
    merge_offsets,
    no_rows,
    offsets_of,
    with_offsets,
)
from tocsin.parts.operator import Operator, Routed
from tocsin.steps.state.progress import progress_of_all, with_progress

# Rows that a worker gathers before it splits them: larger batches make fewer, larger messages.
GATHERED = 100_000
# A partition jumps if its watermark advances by more than this in one batch.
FAR = 60_000_000


class Route(beam.DoFn):  # type: ignore[misc]
    """Gathers the batches of a bundle and sends them to shards."""

    def __init__(self, operator: Operator, step: str) -> None:
        self.operator = operator
        self.step = step

    def setup(self) -> None:
        """Start counting. Beam calls it once a worker."""
        self.counter = StepCounter(self.step)
        self.coder = BatchCoder(self.operator.shard_schema)
        self.sent: dict[str, int] = {}

    def start_bundle(self) -> None:
        """Forget the bundle before."""
        self.gathered: list[pa.RecordBatch] = []
        self.earliest: Any = None

    def process(
        self, batch: pa.RecordBatch, timestamp: Any = beam.DoFn.TimestampParam
    ) -> Iterator[Any]:
        """Keep a batch; send the end of an input to every shard at once."""
        end = end_of_input(batch)
        if end is not None:
            yield from self._send()
            marker = self.coder.encode(end_marker(self.operator.shard_schema, end))
            for shard in range(self.operator.shards):
                yield shard, marker
            return
        if not batch.num_rows:
            return
        self.earliest = timestamp if self.earliest is None else min(self.earliest, timestamp)
        self.gathered.append(batch)
        if sum(b.num_rows for b in self.gathered) >= GATHERED:
            yield from self._send()

    def finish_bundle(self) -> Iterator[Any]:
        """Send the rest, at the earliest time of the bundle."""
        earliest = self.earliest
        for value in self._send():
            if isinstance(value, beam.pvalue.TaggedOutput):
                yield beam.pvalue.TaggedOutput(
                    value.tag, WindowedValue(value.value, earliest, (GlobalWindow(),))
                )
            else:
                yield WindowedValue(value, earliest, (GlobalWindow(),))

    def _send(self) -> Iterator[Any]:
        if not self.gathered:
            return
        schema = self.gathered[0].schema
        known = progress_of_all(self.gathered)
        offsets = merge_offsets([offsets_of(batch) for batch in self.gathered])
        rows = pa.concat_batches(
            [batch.replace_schema_metadata(schema.metadata) for batch in self.gathered]
        )
        self.gathered, self.earliest = [], None
        with self.counter.at_work():
            routed: Routed = self.operator.route(with_offsets(rows, offsets) if offsets else rows)
        self.counter.add(read=rows.num_rows, **routed.counts)
        for shard, part in routed.by_shard:
            yield shard, self.coder.encode(with_progress(part, known))
        if any(time >= self.sent.get(partition, time) + FAR for partition, time in known.items()):
            # Without it, shards without rows would process a jump in time window by window.
            nothing = self.coder.encode(with_progress(no_rows(self.operator.shard_schema), known))
            for shard in set(range(self.operator.shards)) - {shard for shard, _ in routed.by_shard}:
                yield shard, nothing
        self.sent |= known
        for tag, batch in routed.outputs.items():
            yield beam.pvalue.TaggedOutput(tag, batch)
