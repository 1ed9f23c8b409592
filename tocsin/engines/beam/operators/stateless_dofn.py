"""Transforms and plain sinks as DoFns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa

from tocsin.engines.beam.io.batch_coder import BatchType, schema_of
from tocsin.engines.beam.operators.metrics import StepCounter
from tocsin.engines.reading.reject_rows import rejects_of
from tocsin.kernels.batch import end_marker, end_of_input, traits
from tocsin.parts.sink import Sink
from tocsin.parts.source import REJECTS_SCHEMA
from tocsin.parts.transform import Transform
from tocsin.steps.state.progress import noted_progress, with_progress


class _ApplyTransform(beam.DoFn):  # type: ignore[misc]
    def __init__(
        self, transform: Transform, step: str, schema: pa.Schema, output: pa.Schema
    ) -> None:
        self.transform = transform
        self.step = step
        self.topic = traits(schema).topic
        self.output = output

    def setup(self) -> None:
        self.counter = StepCounter(self.step)

    def process(self, batch: pa.RecordBatch) -> Iterator[Any]:
        end = end_of_input(batch)
        if end is not None:
            yield end_marker(self.output, end)
            return
        if not batch.num_rows:
            return
        with self.counter.at_work():
            outcome = self.transform.apply(batch)
        rejected = 0 if outcome.rejected is None else outcome.rejected.num_rows
        self.counter.add(
            read=batch.num_rows,
            kept=outcome.kept.num_rows,
            rejected=rejected,
            filtered=outcome.filtered,
        )
        if outcome.kept.num_rows:
            reached = noted_progress(batch)
            kept = pa.RecordBatch.from_arrays(outcome.kept.columns, schema=self.output)
            yield with_progress(kept, reached) if reached else kept
        if rejected:
            rejects = rejects_of(outcome, self.topic, self.step)
            yield beam.pvalue.TaggedOutput("rejects", rejects)


class Apply(beam.PTransform):  # type: ignore[misc]
    """Applies a Transform to a collection of batches. End markers pass through."""

    def __init__(self, transform: Transform, step: str) -> None:
        super().__init__()
        self.transform = transform
        self.step = step

    def expand(self, collection: Any) -> dict[str, Any]:
        """Collections `output` and, if the transform can reject rows, `rejects`."""
        schema = schema_of(collection)
        output = self.transform.output_schema(schema)
        applied = beam.ParDo(_ApplyTransform(self.transform, self.step, schema, output))
        outputs = collection | applied.with_outputs("rejects", main="output")
        outputs.output.element_type = BatchType(output)
        outputs.rejects.element_type = BatchType(REJECTS_SCHEMA)
        return (
            {"output": outputs.output, "rejects": outputs.rejects}
            if self.transform.rejects
            else {"output": outputs.output}
        )


class _WriteBatches(beam.DoFn):  # type: ignore[misc]
    def __init__(self, sink: Sink, step: str) -> None:
        self.sink = sink
        self.step = step

    def setup(self) -> None:
        self.counter = StepCounter(self.step)

    def process(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            self.sink.write(batch, "")
            self.counter.add(read=batch.num_rows, kept=batch.num_rows)

    def finish_bundle(self) -> None:
        self.sink.flush()


class Write(beam.PTransform):  # type: ignore[misc]
    """Writes batches to a Sink without state, in the order in which they arrive."""

    def __init__(self, sink: Sink, step: str) -> None:
        super().__init__()
        self.sink = sink
        self.step = step

    def expand(self, collection: Any) -> None:
        """No output. Raises the sink's error where it cannot write this schema."""
        self.sink.check_schema(schema_of(collection))
        collection | beam.ParDo(_WriteBatches(self.sink, self.step))
