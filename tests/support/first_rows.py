"""A third party's step with an operator of its own: tests install this file in a package."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from tocsin.api.step import (
    FOREVER,
    Advanced,
    KeyedBlock,
    Memory,
    Operator,
    Param,
    ShardCount,
    StatefulStep,
    need_columns,
    with_traits,
)


class FirstRows(StatefulStep):
    """Keeps the first rows of each key, in order of arrival; the others go to the output `more`."""

    keeps_columns: ClassVar[bool] = True
    keeps: ClassVar[str] = "how many rows of each key it has seen"

    by: list[str] = Param(help="columns that identify a sensor", min_length=1)
    count: int = Param(2, help="rows of each key", ge=1)
    shards: ShardCount = 8

    def outputs(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        need_columns(self.by, schema, "by")
        return {name: with_traits(schema, inputs=1) for name in ("output", "more")}

    def operator(self, schema: pa.Schema, rule: str) -> Operator:
        return FirstRowsOperator(self, schema)

    def state_depends_on(self, schema: pa.Schema) -> dict[str, Any]:
        return {"by": self.by, "shards": self.shards}

    examples = [
        (
            {"by": ["sensor_id"], "count": 1},
            [("a", 0, 1.0), ("a", 1, 2.0), ("b", 2, 3.0)],
            {"output": [{"value": 1.0}, {"value": 3.0}], "more": [{"value": 2.0}]},
        )
    ]


class FirstRowsOperator(Operator):
    """Counts the rows of each key."""

    eager = True

    def __init__(self, step: FirstRows, schema: pa.Schema) -> None:
        super().__init__(schema, step.outputs(schema), by=step.by, shards=step.shards)
        self.count = step.count
        self.key_schema = pa.schema([schema.field(name).with_metadata(None) for name in step.by])

    def due(self, batch: pa.RecordBatch) -> int | None:
        return None

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        block = self.read(state)
        outputs = []
        for batch in log:
            first = self.numbers(block, batch) < self.count
            for name, rows in (("output", first), ("more", ~first)):
                if rows.any():
                    outputs.append((name, batch.filter(pa.array(rows))))
        if time >= FOREVER:
            return Advanced(outputs, [], None)
        return Advanced(outputs, [block.to_bytes()], None)

    def read(self, state: list[bytes]) -> KeyedBlock:
        return KeyedBlock.from_bytes(state[0]) if state else KeyedBlock.empty(self.key_schema, 1)

    def numbers(self, block: KeyedBlock, batch: pa.RecordBatch) -> Any:
        """The number of each row among those of its key; the block counts the rows."""
        slots = block.slots(batch.select(self.by), np.zeros(1))
        order = np.argsort(slots, kind="stable")
        starts = np.r_[0, np.flatnonzero(np.diff(slots[order])) + 1]
        sizes = np.diff(np.r_[starts, len(slots)])
        number = np.empty(len(slots))
        number[order] = np.arange(len(slots)) - np.repeat(starts, sizes)
        number += block.values[slots, 0]
        np.add.at(block.values[:, 0], slots, 1)
        return number
