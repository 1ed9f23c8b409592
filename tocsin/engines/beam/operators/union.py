"""The union of several collections of batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import apache_beam as beam
import pyarrow as pa

from tocsin.engines.beam.io.batch_coder import BatchType, schema_of
from tocsin.kernels.batch import EndOfInput, end_marker, end_of_input
from tocsin.steps.state.union import united, united_schema


class _Side(beam.DoFn):  # type: ignore[misc]
    """Converts one input's batches to the schema of the union.

    Progress by partition is dropped, because partitions of other inputs have the same numbers.
    """

    def __init__(self, number: int, side: str, schema: pa.Schema) -> None:
        self.number = number
        self.side = side
        self.schema = schema

    def process(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        end: EndOfInput | None = end_of_input(batch)
        if end is not None:
            yield end_marker(self.schema, replace(end, group=f"{self.number}/{end.group}"))
        elif batch.num_rows:
            yield united(batch, self.side, self.schema)


class Unite(beam.PTransform):  # type: ignore[misc]
    """Unites inputs.

    sides: the name of each input, in the order of the numbers that are the keys of the inputs.
    """

    def __init__(self, sides: list[str]) -> None:
        super().__init__()
        self.sides = sides

    def expand(self, collections: Any) -> Any:
        """One collection with the columns of all inputs."""
        # Beam YAML passes a mapping with one input as that input.
        collections = collections if isinstance(collections, dict) else {0: collections}
        inputs = [collections[key] for key in sorted(collections, key=int)]
        schema = united_schema(
            [(side, schema_of(one)) for side, one in zip(self.sides, inputs, strict=True)]
        )
        parts = []
        for number, (side, one) in enumerate(zip(self.sides, inputs, strict=True)):
            part = one | f"Side {number}" >> beam.ParDo(_Side(number, side, schema))
            part.element_type = BatchType(schema)
            parts.append(part)
        together = tuple(parts) | beam.Flatten()
        together.element_type = BatchType(schema)
        return together
