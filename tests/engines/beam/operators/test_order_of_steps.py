"""A step waits for upstream output of the same moment: it holds a millisecond longer than they."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pipeline import PipelineVisitor

from tocsin.engines.beam.io.batch_coder import BatchType
from tocsin.engines.beam.operators.stateful_dofn import _Shards
from tocsin.engines.beam.operators.stateful_transform import Stateful
from tocsin.engines.beam.operators.union import Unite
from tocsin.kernels.batch import readings_schema
from tocsin.steps.aggregate.step import Aggregate
from tocsin.steps.window_join.step import WindowJoin

SCHEMA = readings_schema(
    [pa.field("sensor", pa.string()), pa.field("value", pa.float64())],
    topic="city",
    allowed_lateness=0,
)


def stage(collection: Any, name: str, **config: Any) -> Any:
    part = Aggregate(**config) if "every" in config else WindowJoin(**config)
    operator = part.operator(collection.element_type.schema, name)
    return (collection | name >> Stateful(operator, name))["output"]


def readings(pipeline: Any, name: str) -> Any:
    collection = pipeline | name >> beam.Create([])
    collection.element_type = BatchType(SCHEMA)
    return collection


def shards_of(pipeline: Any) -> dict[str, _Shards]:
    """The stateful DoFns, by the name of their step."""
    found: dict[str, _Shards] = {}

    class Visitor(PipelineVisitor):  # type: ignore[misc]
        def visit_transform(self, node: Any) -> None:
            if isinstance(node.transform, beam.ParDo) and isinstance(node.transform.fn, _Shards):
                found[node.transform.fn.step] = node.transform.fn

    pipeline.visit(Visitor())
    return found


def test_each_step_holds_a_millisecond_longer_than_its_inputs() -> None:
    pipeline = beam.Pipeline()
    given = readings(pipeline, "Readings")
    low, high = (
        stage(given, name, every="10 min", by=["sensor"], measures={name: "sum(value)"})
        for name in ("low", "high")
    )
    both = {0: low, 1: high} | Unite(["left", "right"])
    joined = stage(both, "join", by=["sensor"])
    stage(joined, "hours", every="1 h", by=["sensor"], measures={"parts": "count(low)"})
    found = shards_of(pipeline)
    assert {name: shard.hold for name, shard in found.items()} == {
        "low": 0,
        "high": 0,
        "join": 1_000,
        "hours": 2_000,
    }
    assert {name: shard.inputs for name, shard in found.items()} == {
        "low": 1,
        "high": 1,
        "join": 2,
        "hours": 1,
    }


def test_an_aggregate_of_two_inputs_waits_for_the_end_of_both() -> None:
    pipeline = beam.Pipeline()
    both = {0: readings(pipeline, "One"), 1: readings(pipeline, "Other")} | Unite(["", ""])
    stage(both, "minutes", every="1 min", by=["sensor"], measures={"total": "sum(value)"})
    assert shards_of(pipeline)["minutes"].inputs == 2
