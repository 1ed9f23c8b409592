"""A stateful step as a Beam transform over a collection of batches."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from apache_beam.typehints import typehints

from tocsin.engines.beam.io.batch_coder import BatchType, schema_of
from tocsin.engines.beam.operators.route_dofn import Route
from tocsin.engines.beam.operators.stateful_dofn import shards_named
from tocsin.kernels.batch import traits
from tocsin.parts.operator import Operator
from tocsin.parts.sink import Sink


class Stateful(beam.PTransform):  # type: ignore[misc]
    """An operator over a collection of batches; with a sink, it writes units of output."""

    def __init__(self, operator: Operator, step: str, sink: Sink | None = None) -> None:
        super().__init__()
        self.operator = operator
        self.step = step
        self.sink = sink

    def expand(self, collection: Any) -> dict[str, Any]:
        """Collections by output name."""
        upstream = traits(schema_of(collection))
        tags = [tag for tag in self.operator.outputs if tag != "output"]
        routed = collection | "Route" >> beam.ParDo(Route(self.operator, self.step)).with_outputs(
            *tags, main="shards"
        )
        # Bytes of batches, which a shard keeps as they are.
        routed.shards.element_type = typehints.Tuple[int, bytes]
        advance = shards_named(self.step)(self.operator, self.step, self.sink, upstream)
        advanced = routed.shards | "Advance" >> beam.ParDo(advance).with_outputs(
            *tags, main="output"
        )
        # Beam does not type tagged outputs by itself. `late` leaves on the way to the shards.
        advanced.output.element_type = BatchType(
            self.operator.outputs.get("output", self.operator.shard_schema)
        )
        for tag in tags:
            routed[tag].element_type = advanced[tag].element_type = BatchType(
                self.operator.outputs[tag]
            )
        sides = {
            "output": advanced.output,
            **{tag: (routed if tag == "late" else advanced)[tag] for tag in tags},
        }
        return {tag: sides[tag] for tag in self.operator.outputs}
