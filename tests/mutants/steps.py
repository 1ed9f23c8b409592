"""Steps with state that are wrong on purpose, each with the law that must catch it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from tests.support.first_rows import FirstRows, FirstRowsOperator
from tocsin.api.step import (
    EVENT_TIME,
    FOREVER,
    Advanced,
    KeyedBlock,
    Memory,
    Operator,
    Routed,
    micros,
    rows_of,
)


def mutant(law: str, operator: type[Any]) -> Any:
    """The step with another operator."""

    class Mutant(FirstRows):
        """A step that is wrong on purpose: see its operator."""

        caught_by: ClassVar[str] = law

        def operator(self, schema: pa.Schema, rule: str) -> Operator:
            return operator(self, schema)

    Mutant.__name__ = Mutant.__qualname__ = operator.__name__.removesuffix("Operator")
    return Mutant


class WrongStepExample(FirstRows):
    """A step whose example is not true."""

    caught_by: ClassVar[str] = "examples_hold"
    examples = [({"by": ["sensor_id"]}, [("a", 0, 1.0)], [])]


class CountsBatchesOperator(FirstRowsOperator):
    """Counts batches, not rows: the result depends on how the stream is cut."""

    def numbers(self, block: KeyedBlock, batch: pa.RecordBatch) -> Any:
        slots = block.slots(batch.select(self.by), np.zeros(1))
        number = block.values[slots, 0].copy()
        block.values[np.unique(slots), 0] += 1
        return number


class CountsAllOperator(FirstRowsOperator):
    """Counts the rows of all keys together: the result depends on the order of delivery."""

    def __init__(self, step: Any, schema: pa.Schema) -> None:
        super().__init__(step, schema)
        self.by, self.shards = [], 1

    def numbers(self, block: KeyedBlock, batch: pa.RecordBatch) -> Any:
        block.slots(batch.select(self.key_schema.names), np.zeros(1))
        number = block.values[0, 0] + np.arange(batch.num_rows)
        block.values[0, 0] += batch.num_rows
        return number


class KeepsToItselfOperator(FirstRowsOperator):
    """Keeps its counts in the object: a restart loses them."""

    def __init__(self, step: Any, schema: pa.Schema) -> None:
        super().__init__(step, schema)
        self.block = KeyedBlock.empty(self.key_schema, 1)

    def read(self, state: list[bytes]) -> KeyedBlock:
        return self.block


class TrustsItsMemoryOperator(FirstRowsOperator):
    """Keeps its counts in memory, which may be lost."""

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        memory = {} if memory is None else memory
        done = super().advance(memory.get("state", []), log, time, end)
        memory["state"] = done.state
        return Advanced(done.outputs, [b"state"], None)


class CountsTheShardOperator(FirstRowsOperator):
    """Counts the rows of the keys that share a shard: keys meet."""

    def numbers(self, block: KeyedBlock, batch: pa.RecordBatch) -> Any:
        block.slots(batch.select(self.by), np.zeros(1))
        number = block.values[0, 0] + np.arange(batch.num_rows)
        block.values[0, 0] += batch.num_rows
        return number


class NeverRestsOperator(FirstRowsOperator):
    """Asks to be advanced at the time to which it was."""

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        done = super().advance(state, log, time, end)
        return Advanced(done.outputs, done.state, time if time < FOREVER else None)


class SortsItsHistoryOperator(FirstRowsOperator):
    """Keeps all rows, and sorts them again to find the new ones."""

    eager = False

    def due(self, batch: pa.RecordBatch) -> int | None:
        return int(micros(batch.column(EVENT_TIME)).min())

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        rows = rows_of(log, self.shard_schema).sort_by(EVENT_TIME)
        new = rows.slice(int(state[1]) if state else 0)
        done = super().advance(state[:1], [new], time, end)
        return Advanced(done.outputs, [*done.state, str(rows.num_rows).encode()], None, log=None)


class AddsAColumnOperator(FirstRowsOperator):
    """Emits a column that the step does not promise."""

    def advance(
        self,
        state: list[bytes],
        log: list[pa.RecordBatch],
        time: int,
        end: int | None,
        memory: Memory | None = None,
    ) -> Advanced:
        done = super().advance(state, log, time, end)
        more = [(name, rows.append_column("more", rows.column(0))) for name, rows in done.outputs]
        return Advanced(more, done.state, None)


class RoutesOutputOperator(FirstRowsOperator):
    """Emits rows on the way to the shards, where an engine takes only late ones."""

    def route(self, batch: pa.RecordBatch) -> Routed:
        return Routed([], {"output": batch}, {"kept": batch.num_rows})


class IsNotJson(FirstRows):
    """A step that describes what its state depends on as a set."""

    caught_by: ClassVar[str] = "its_state_is_described"

    def state_depends_on(self, schema: pa.Schema) -> dict[str, Any]:
        return {"by": set(self.by)}


MUTANTS = [
    WrongStepExample,
    mutant("cutting_the_stream_changes_nothing", CountsBatchesOperator),
    mutant("order_of_delivery_changes_nothing", CountsAllOperator),
    mutant("a_restart_changes_nothing", KeepsToItselfOperator),
    mutant("losing_memory_changes_nothing", TrustsItsMemoryOperator),
    mutant("the_number_of_shards_changes_nothing", CountsTheShardOperator),
    mutant("a_shard_wakes_up_later", NeverRestsOperator),
    mutant("work_does_not_grow", SortsItsHistoryOperator),
    mutant("the_columns_are_as_promised", AddsAColumnOperator),
    mutant("the_columns_are_as_promised", RoutesOutputOperator),
    IsNotJson,
]
