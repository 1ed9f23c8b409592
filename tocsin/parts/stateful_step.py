"""Steps with keyed state: their columns, their state, and the operator that keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import pyarrow as pa
from pydantic import Field

from tocsin.parts.operator import Operator
from tocsin.parts.part import Part

InputKind = Literal["readings", "windows", "alarms"]
"""What the inputs of a step hold."""

ShardCount = Annotated[
    int,
    Field(
        ge=1,
        le=1024,
        description="number of blocks that the state is split into: the most that run in parallel",
    ),
]
"""Type of the parameter `shards`."""


@dataclass(frozen=True)
class ScoreColumns:
    """Where a step's output shows what it judges. rule: its name in alarms, or ''."""

    rule: str
    keys: list[str]
    value: str
    score: str


class StatefulStep(Part):
    """A step whose output depends on earlier rows of a key.

    The checker, `tocsin plan`, the upgrade check and the engines ask the step; none of them knows a
    step by its class.
    """

    inputs: ClassVar[dict[str, bool]] = {"": True}
    """Names of the inputs, and whether the step needs each; '' for one without a name."""
    takes: ClassVar[InputKind] = "readings"
    """What its inputs hold. The laws run on steps that take readings."""
    keeps_columns: ClassVar[bool] = False
    """Whether its outputs have the columns of its input, so that the steps behind it can be checked
    although its configuration is wrong."""
    keeps: ClassVar[str] = "its state"
    """What a job loses with the state of this step, for a sentence."""

    def keys(self) -> list[str]:
        """What the state is kept by: the parameter `by`, if there is one."""
        return list(getattr(self, "by", ()))

    def shard_count(self) -> int:
        """Number of blocks of state: the parameter `shards`, if there is one."""
        return int(getattr(self, "shards", 1))

    def outputs(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        """Schemas by output name; the main one is `output`. Raises Fault or Faults.

        schema: of all inputs together, with the columns of a named input as `name.column`.
        """
        raise NotImplementedError

    def operator(self, schema: pa.Schema, rule: str) -> Operator:
        """Its state machine. rule: the name for its alarms if the configuration gives none."""
        raise NotImplementedError

    def state_shape(self, schema: pa.Schema | None) -> str:
        """What it keeps and how much, in words. schema: None if the columns are not known."""
        return self.keeps

    def state_depends_on(self, schema: pa.Schema) -> dict[str, Any]:
        """What its state depends on, as JSON: a job loses the state if any of it changes."""
        return {"by": self.keys(), "shards": self.shard_count(), "columns": column_types(schema)}

    def completed(self, datasets: list[str]) -> dict[str, Any]:
        """Parameters that it takes from the rest of the job if the configuration gives none.

        datasets: lake datasets that the step's own input is written to as well.
        """
        return {}

    def columns_read(self) -> set[str] | None:
        """Columns of its input that its results depend on; None for all."""
        return None

    def narrowed(self, columns: set[str]) -> Self:
        """The step if only these columns of its output are read; it may leave out the others."""
        return self

    def score_columns(self) -> ScoreColumns | None:
        """Where its output shows scores; None if it gives none."""
        return None

    def in_one_shard(self) -> Self:
        """The step for an engine that has one process."""
        return self.model_copy(update={"shards": 1}) if hasattr(self, "shards") else self


def column_types(schema: pa.Schema) -> dict[str, str]:
    """Types as text, by column."""
    return {field.name: str(field.type) for field in schema}
