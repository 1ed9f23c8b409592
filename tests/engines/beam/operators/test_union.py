"""The union of inputs keeps every row, names its side, and counts the ends of all inputs."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest

from tocsin.engines.beam.io.batch_coder import BatchType, schema_of
from tocsin.engines.beam.operators.union import Unite
from tocsin.engines.beam.running import local_pipeline
from tocsin.kernels.batch import EndOfInput, end_marker, end_of_input, readings_schema

FIELDS = [pa.field("sensor", pa.string()), pa.field("value", pa.float64())]
SCHEMA = readings_schema(FIELDS, topic="city", allowed_lateness=0)
# Beam's local runner works in this process.
_FOUND: list[pa.RecordBatch] = []


def collect(batch: pa.RecordBatch) -> None:
    _FOUND.append(batch)


def batches(pipeline: Any, name: str, *values: float) -> Any:
    rows = [{"sensor": name, "value": value} for value in values]
    end = end_marker(SCHEMA, EndOfInput("city:0", 1, None))
    made = [pa.RecordBatch.from_pylist(rows, schema=SCHEMA), end]
    collection = pipeline | f"{name} rows" >> beam.Create(made, reshuffle=False)
    collection.element_type = BatchType(SCHEMA)
    return collection


def united(sides: list[str], *inputs: tuple[str, float]) -> list[pa.RecordBatch]:
    _FOUND.clear()
    pipeline = local_pipeline()
    collections = {at: batches(pipeline, name, value) for at, (name, value) in enumerate(inputs)}
    together = collections | Unite(sides)
    assert "_side" in schema_of(together).names or not any(sides)
    _ = together | "Collect" >> beam.Map(collect)
    pipeline.run().wait_until_finish()
    return list(_FOUND)


def test_inputs_with_the_same_columns_become_one() -> None:
    found = united(["", ""], ("a", 1.0), ("b", 2.0))
    rows = [row for batch in found for row in batch.to_pylist()]
    assert sorted((row["sensor"], row["value"]) for row in rows) == [("a", 1.0), ("b", 2.0)]


def test_rows_of_named_inputs_have_their_side_and_their_own_columns() -> None:
    found = united(["left", "right"], ("a", 1.0), ("b", 2.0))
    rows = [row for batch in found for row in batch.to_pylist()]
    columns = ("_side", "left.sensor", "left.value", "right.sensor", "right.value")
    assert sorted(tuple(row[name] for name in columns) for row in rows) == [
        ("left", "a", 1.0, None, None),
        ("right", None, None, "b", 2.0),
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_ends_of_partitions_with_the_same_number_stay_apart(count: int) -> None:
    inputs = [(f"s{at}", float(at)) for at in range(count)]
    ends = [end_of_input(batch) for batch in united([""] * count, *inputs)]
    found = {(end.group, end.part) for end in ends if end is not None}
    assert found == {(f"{at}/", "city:0") for at in range(count)}
