"""The Deduplicate step: readings that came before."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.columns.blocks import Block
from tocsin.columns.contract import EVENT_TIME, WATERMARK, micros, traits
from tocsin.columns.groups import group_ids, hash_rows
from tocsin.columns.segments import arrival
from tocsin.parts.keyed import FOREVER, Advanced, Memory, Routed, split_by_key
from tocsin.parts.late import set_apart
from tocsin.parts.part import Duration, Param, Part, need_columns

_KEYS = pa.schema([pa.field("hash", pa.uint64())])


class Deduplicate(Part):
    """Keeps the first reading of each key and event time; the others are filtered, and counted.

    Memory is bounded: a reading is remembered until its partition's watermark is `within` past its event time, and one that
    comes later than that is late. Of copies in one partition the one with the lowest offset is kept.
    Keys are compared by a 64-bit hash with the event time, so two different keys meet once in about 10^19 pairs.
    """

    by: list[str] = Param(help="columns that, with the event time, identify a reading", min_length=1)
    within: Duration | None = Param(None, help="how long a reading is remembered; by default the allowed lateness")
    shards: int = Param(8, help="state is kept in so many blocks, the most that can run in parallel", ge=1, le=1024)

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The input's schema. Raises Fault."""
        need_columns(self.by, schema, "by")
        return schema


class Deduplicator:
    """Remembers the readings of a shard by hash and event time."""

    eager = True

    def __init__(self, step: Deduplicate, schema: pa.Schema) -> None:
        self.step = step
        self.shards = step.shards
        self.within = step.within if step.within is not None else traits(schema).allowed_lateness
        self.shard_schema = schema
        self.outputs = {"output": step.output_schema(schema), "late": schema}

    def route(self, batch: pa.RecordBatch) -> Routed:
        """Rows by shard; rows too late to be compared to `late`."""
        late = micros(batch.column(EVENT_TIME)) + self.within < micros(batch.column(WATERMARK))
        batch, outputs = set_apart(batch, late)
        return Routed(split_by_key(batch, self.step.by, self.shards), outputs, {"late": int(late.sum())})

    def due(self, batch: pa.RecordBatch) -> int | None:
        """When the first of the rows may be forgotten."""
        return int(micros(batch.column(EVENT_TIME)).min()) + self.within + 1 if batch.num_rows else None

    def advance(
        self, state: list[bytes], log: list[pa.RecordBatch], time: int, end: int | None, memory: Memory | None = None
    ) -> Advanced:
        """Pass on what is new; forget what is older than `within` at `time` (arrivals come with the earliest time)."""
        block = Block.from_bytes(state[0]) if state else Block.empty(_KEYS, 1)
        outputs: list[tuple[str, pa.RecordBatch]] = []
        counts = {"kept": 0, "filtered": 0}
        for batch in log:
            kept = self._new(block, batch)
            counts["kept"] += kept.num_rows
            counts["filtered"] += batch.num_rows - kept.num_rows
            if kept.num_rows:
                outputs.append(("output", kept))
        if time >= FOREVER:
            return Advanced(outputs, [], None, counts)
        times = block.values[:, 0]
        if time > -FOREVER and len(times):
            block.keep(times + self.within >= time)
        # Forgetting is put off until half of the span has passed, so that it is not done for each reading.
        due = int(block.values[:, 0].min()) + self.within + max(self.within // 2, 1_000_000) if len(block.values) else None
        return Advanced(outputs, [block.to_bytes()], due, counts)

    def _new(self, block: Block, batch: pa.RecordBatch) -> pa.RecordBatch:
        order = np.lexsort(tuple(reversed(arrival(batch)))) if arrival(batch) else np.arange(batch.num_rows)
        batch = batch.take(pa.array(order))
        times = micros(batch.column(EVENT_TIME))
        hashes = hash_rows([*(batch.column(name) for name in self.step.by), batch.column(EVENT_TIME)])
        _, first = group_ids([pa.array(hashes)])
        known = len(block.values)
        slots = block.slots(pa.RecordBatch.from_arrays([pa.array(hashes[first])], schema=_KEYS), np.zeros(1))
        new = first[slots >= known]
        block.values[slots[slots >= known], 0] = times[new]
        return batch.take(pa.array(np.sort(new)))
