"""Steps that see each key's rows in order of event time, with those before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Int64s, traits, with_traits
from tocsin.parts.part import Param, Part, need_columns


@dataclass(frozen=True)
class Ordered:
    """Rows in order of (key, event time, arrival). starts: first row of each key, and at the end the number of rows.

    times: microseconds. known: the time before which every row is here.
    """

    rows: pa.RecordBatch
    starts: Int64s
    times: Int64s
    known: int

    @property
    def first(self) -> Int64s:
        """The first row of each row's key."""
        return np.repeat(self.starts[:-1], np.diff(self.starts))

    @property
    def end(self) -> Int64s:
        """The row after the last of each row's key."""
        return np.repeat(self.starts[1:], np.diff(self.starts))


class Sequence(Part):
    """Adds columns to rows, computed from each key's rows in order of event time."""

    # Whether rows behind their partition's watermark go on, as `alone` has them, or go to the output `late`.
    passes_late: ClassVar[bool] = False

    by: list[str] = Param(help="columns that identify a sensor", min_length=1)
    shards: int = Param(
        8, help="state is kept in so many blocks, the most that can run in parallel", ge=1, le=1024
    )

    def lookahead(self) -> int:
        """Microseconds, whole seconds, that a row waits for those after it."""
        return 0

    def added(self, schema: pa.Schema) -> list[pa.Field]:
        """The columns that are added. Raises Faults."""
        raise NotImplementedError

    def columns_of(self, ordered: Ordered) -> list[Any]:
        """The added columns of all rows."""
        raise NotImplementedError

    def alone(self, rows: pa.RecordBatch) -> list[Any]:
        """The added columns of rows that came too late to be put in order."""
        raise NotImplementedError

    def changed(self, rows: pa.RecordBatch, added: list[Any]) -> pa.RecordBatch:
        """The rows, where what is added to them changes columns that they had; of the same schema."""
        return rows

    def needed(self, ordered: Ordered) -> Any:
        """Which of the rows that were given out those to come will need: a bool a row."""
        raise NotImplementedError

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The input's columns and the added ones. Raises Faults."""
        need_columns(self.by, schema, "by")
        system = [field for field in schema if field.name.startswith("_")]
        own = [field for field in schema if not field.name.startswith("_")]
        fields = pa.schema([*own, *self.added(schema), *system], metadata=schema.metadata)
        return with_traits(fields, stage=traits(schema).stage + 1, inputs=1)


def last_rows(ordered: Ordered, count: int) -> Any:
    """The last so many rows of each key: a bool a row."""
    return ordered.end - np.arange(len(ordered.times)) <= count
