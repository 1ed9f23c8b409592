"""The steps of a running job: each takes batches, and emits what is complete at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from tocsin.engines.embedded.counts import Counts
from tocsin.engines.reading.reject_rows import rejects_of
from tocsin.kernels.batch import traits
from tocsin.parts.sink import Sink
from tocsin.parts.transform import Transform

Emitted = Iterator[tuple[str, pa.RecordBatch]]
"""Batches by output name."""


class Node(Protocol):
    """A running step.

    name: of the step. outputs: schemas by output name. lookahead: how far its outputs are behind
    its input, microseconds of event time.
    """

    name: str
    outputs: dict[str, pa.Schema]
    lookahead: int

    def take(self, batch: pa.RecordBatch) -> Emitted:
        """Take rows, and emit what needs no waiting."""

    def advance(self, time: int, end: int | None) -> Emitted:
        """Emit what is complete at a time, which no later row of the input is behind.

        end: the watermark at the end of a bounded input, which comes with the time FOREVER.
        """

    def flush(self) -> None:
        """Wait until all that it wrote is durable. Raises Failure if something is not."""


class TransformNode:
    """A transform."""

    lookahead = 0

    def __init__(self, name: str, part: Transform, schema: pa.Schema, counts: Counts) -> None:
        self.name = name
        self.part = part
        self._counts = counts
        self._topic = traits(schema).topic
        self._output = part.output_schema(schema)
        self.outputs = {"output": self._output}

    def take(self, batch: pa.RecordBatch) -> Emitted:
        """Apply the transform."""
        with self._counts.at_work(self.name):
            outcome = self.part.apply(batch)
        rejected = 0 if outcome.rejected is None else outcome.rejected.num_rows
        kept = outcome.kept.num_rows
        self._counts.add(
            self.name,
            read=batch.num_rows,
            kept=kept,
            rejected=rejected,
            filtered=outcome.filtered,
        )
        if kept:
            columns = outcome.kept.columns
            yield "output", pa.RecordBatch.from_arrays(columns, schema=self._output)
        if rejected:
            yield "rejects", rejects_of(outcome, self._topic, self.name)

    def advance(self, time: int, end: int | None) -> Emitted:
        """Nothing waits."""
        yield from ()

    def flush(self) -> None:
        """Nothing is written."""


class SinkNode:
    """A sink that writes batches as they come."""

    lookahead = 0

    def __init__(self, name: str, part: Sink, counts: Counts) -> None:
        self.name = name
        self.part = part
        self.outputs: dict[str, pa.Schema] = {}
        self._counts = counts

    def take(self, batch: pa.RecordBatch) -> Emitted:
        """Write the rows."""
        with self._counts.at_work(self.name):
            self.part.write(batch, "")
        self._counts.add(self.name, read=batch.num_rows, kept=batch.num_rows)
        yield from ()

    def advance(self, time: int, end: int | None) -> Emitted:
        """Nothing waits."""
        yield from ()

    def flush(self) -> None:
        """Wait until the rows are durable."""
        with self._counts.at_work(self.name):
            self.part.flush()
