"""Transforms of a batch: rows in; rows out, rejected with a reason, or filtered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from tocsin.parts.part import Part


@dataclass(frozen=True)
class Outcome:
    """What became of a batch: `kept` rows, `rejected` rows with a `reason` each (text), and how many were `filtered`."""

    kept: pa.RecordBatch
    rejected: pa.RecordBatch | None = None
    reasons: Any = None
    filtered: int = 0


class Transform(Part):
    """A function of one batch. It keeps system columns as they are and never changes the number of a row's fate:
    rows in = rows kept + rejected + filtered.
    """

    rejects: ClassVar[bool] = False
    # Whether its output has the columns of its input, whatever its configuration.
    keeps_columns: ClassVar[bool] = False
    # The column of the kept rows that the examples show.
    shows: ClassVar[str] = "value"

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the kept rows. Raises Fault where the input lacks what the configuration names."""
        return schema

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        """Called with batches of at least one row."""
        raise NotImplementedError
