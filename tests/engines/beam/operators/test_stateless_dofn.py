"""Transforms and sinks over batches: rejects are complete, end markers pass, rows are counted."""

from __future__ import annotations

import json
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest

from tocsin.engines.beam.io.batch_coder import BatchType, schema_of
from tocsin.engines.beam.operators.metrics import ledger_of
from tocsin.engines.beam.operators.stateless_dofn import Apply, Write
from tocsin.engines.beam.running import local_pipeline
from tocsin.foundation.ledger import StepCount
from tocsin.kernels.batch import EndOfInput, end_marker, end_of_input, readings_schema
from tocsin.parts.registry import find
from tocsin.parts.sink import Sink
from tocsin.parts.source import REJECTS_SCHEMA

SCHEMA = readings_schema(
    [pa.field("sensor", pa.string()), pa.field("value", pa.float64())],
    topic="city",
    allowed_lateness=0,
)
START = 1_772_445_600_000_000
END = EndOfInput("city:0", 1, START)
ROWS = [
    {"sensor": "a", "value": 1.0, "_event_time": START, "_partition": 0, "_offset": 5, "_index": 0},
    {"sensor": "b", "value": 9.0, "_event_time": START, "_partition": 1, "_offset": 6, "_index": 2},
]
# Beam's local runner works in this process.
_FOUND: dict[str, list[pa.RecordBatch]] = {}


def collect(batch: pa.RecordBatch, name: str) -> None:
    _FOUND.setdefault(name, []).append(batch)


@pytest.fixture(autouse=True)
def empty() -> None:
    _FOUND.clear()


def batches(pipeline: Any) -> Any:
    rows = pa.RecordBatch.from_pylist(ROWS, schema=SCHEMA)
    made = [rows, rows.slice(0, 0), end_marker(SCHEMA, END)]
    collection = pipeline | beam.Create(made, reshuffle=False)
    collection.element_type = BatchType(SCHEMA)
    return collection


def run(kind: str, name: str, **config: Any) -> tuple[dict[str, Any], StepCount]:
    """The outputs of a transform, and its line in the ledger."""
    pipeline = local_pipeline()
    outputs = batches(pipeline) | Apply(find(kind, name)(**config), "Step")
    for output, collection in outputs.items():
        _ = collection | output >> beam.Map(collect, output)
    result = pipeline.run()
    result.wait_until_finish()
    return outputs, ledger_of(result).steps["Step"]


def test_rejected_rows_name_their_place_reason_and_content() -> None:
    outputs, count = run("clean", "validate", rules={"value": {"max": 5}})
    assert schema_of(outputs["rejects"]).equals(REJECTS_SCHEMA)
    (reject,) = _FOUND["rejects"][0].to_pylist()
    assert (reject["topic"], reject["partition"], reject["offset"], reject["index"]) == (
        "city",
        1,
        6,
        2,
    )
    assert (reject["step"], reject["reason"]) == ("Step", "invalid")
    assert reject["message"] == "value is above 5"
    assert json.loads(reject["value"]) == {"sensor": "b", "value": 9.0}
    assert count == StepCount(read=2, kept=1, rejected=1)


def test_filtered_rows_are_counted_and_leave_no_reject() -> None:
    outputs, count = run("clean", "filter", keep="value > 5")
    assert set(outputs) == {"output"}
    rows = [row for batch in _FOUND["output"] for row in batch.to_pylist()]
    assert [row["sensor"] for row in rows] == ["b"]
    assert count == StepCount(read=2, kept=1, filtered=1)


def test_end_markers_pass_with_the_transforms_schema() -> None:
    run("clean", "filter", keep="value > 100")
    (marker,) = _FOUND["output"]
    assert end_of_input(marker) == END


class Recorded(Sink):
    """Collects batches."""

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        collect(batch, f"unit {unit!r}")

    def flush(self) -> None:
        collect(pa.RecordBatch.from_pylist([], schema=SCHEMA), "flushed")


def test_a_sink_gets_each_batch_with_rows_and_is_flushed() -> None:
    pipeline = local_pipeline()
    _ = batches(pipeline) | Write(Recorded(), "Sink")
    result = pipeline.run()
    result.wait_until_finish()
    assert [batch.num_rows for batch in _FOUND["unit ''"]] == [2]
    assert _FOUND["flushed"]
    assert ledger_of(result).steps["Sink"] == StepCount(read=2, kept=2)


class Picky(Sink):
    """Refuses every schema."""

    def check_schema(self, schema: pa.Schema) -> None:
        raise ValueError("not these columns")

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        raise NotImplementedError


def test_a_sink_refuses_columns_before_the_job_runs() -> None:
    with pytest.raises(ValueError, match="not these columns"):
        _ = batches(local_pipeline()) | Write(Picky(), "Sink")
