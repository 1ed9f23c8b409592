"""The Lookup step: columns from a registry that is a topic."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa

from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels.batch import SYSTEM_FIELDS, traits, with_traits
from tocsin.parts.operator import Operator
from tocsin.parts.part import Param, need_columns
from tocsin.parts.stateful_step import ShardCount, StatefulStep
from tocsin.steps.lookup.lookup_operator import READINGS, REGISTRY, LookupOperator
from tocsin.steps.state.union import measured_of_sides, schema_of_side


class Lookup(StatefulStep):
    """Adds columns from a registry to readings: those valid for their key at their event time.

    Inputs: `readings` and `registry`. A registry row is valid from its event time until the next
    row of its key, which replaces it completely. Readings wait until the registry's watermark
    reaches their event time, so the result depends on event times alone, not on which topic was
    faster. A registry row behind its partition's watermark is valid from that watermark on.
    Readings with an unknown key get nulls. Readings later than the allowed lateness go to the
    output `late`. Partition and offset of the readings are not kept.
    """

    in_a_job = {
        "input": {"readings": "ReadTelemetry", "registry": "Registry"},
        "config": {"by": ["sensor_id"], "add": ["height"]},
    }

    inputs: ClassVar[dict[str, bool]] = {READINGS: True, REGISTRY: True}
    keeps: ClassVar[str] = "the registry"

    by: list[str] = Param(help="key columns of both inputs", min_length=1)
    add: list[str] = Param(help="columns of the registry to add", min_length=1)
    shards: ShardCount = 8

    def late_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of late readings."""
        own = schema_of_side(schema, READINGS)
        measured = measured_of_sides(schema, {READINGS: own.names})
        return with_traits(
            pa.schema([*own, *SYSTEM_FIELDS], metadata=schema.metadata),
            keys=(),
            topic="",
            **measured,
        )

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The readings' columns and the added ones. Raises Faults."""
        readings, registry = (schema_of_side(schema, side) for side in (READINGS, REGISTRY))
        collector = Collector()
        for one in (readings, registry):
            with collector:
                need_columns(self.by, one, "by")
        with collector:
            need_columns(self.add, registry, "add")
        collector.done()
        for at, name in enumerate(self.by):
            with collector:
                kinds = [one.field(name).type for one in (readings, registry)]
                if kinds[0] != kinds[1]:
                    raise Fault(
                        f"'{name}' is {kinds[0]} in the readings and {kinds[1]} in the registry",
                        "by",
                        at,
                    )
        for at, name in enumerate(self.add):
            with collector:
                if name in readings.names:
                    raise Fault(f"the readings already have a column '{name}'", "add", at)
        collector.done()
        added = [registry.field(name).with_nullable(True) for name in self.add]
        keys = tuple(
            key.removeprefix(f"{READINGS}.")
            for key in traits(schema).keys
            if key.startswith(f"{READINGS}.")
        )
        fields = with_traits(
            pa.schema([*readings, *added, *SYSTEM_FIELDS], metadata=schema.metadata),
            keys=keys,
            topic="",
        )
        measured = measured_of_sides(schema, {READINGS: readings.names, REGISTRY: self.add})
        return with_traits(fields, stage=traits(schema).stage + 1, inputs=1, **measured)

    def outputs(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        """The readings with the added columns, and late readings. Raises Faults."""
        return {"output": self.output_schema(schema), "late": self.late_schema(schema)}

    def operator(self, schema: pa.Schema, rule: str) -> Operator:
        """Keeps the registry, and the readings that wait for it."""
        return LookupOperator(
            schema, self.outputs(schema), by=self.by, add=self.add, shards=self.shards
        )

    def state_shape(self, schema: pa.Schema | None) -> str:
        """Rows of both inputs."""
        return "the registry, and readings that wait for it"

    examples = [
        (
            {"by": ["sensor_id"], "add": ["place"]},
            {
                "readings": [("a", 5, 1.0), ("a", 15, 2.0), ("b", 15, 3.0)],
                "registry": [
                    {"sensor_id": "a", "at": 0, "place": "roof"},
                    {"sensor_id": "a", "at": 10, "place": "street"},
                ],
            },
            [
                {"value": 1.0, "place": "roof"},
                {"value": 2.0, "place": "street"},
                {"value": 3.0, "place": None},
            ],
        )
    ]
