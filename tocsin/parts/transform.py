"""Transforms: each row of a batch is kept, rejected with a reason, or filtered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from tocsin.parts.part import Part


@dataclass(frozen=True)
class Outcome:
    """The result of a transform.

    Attributes:
        kept: kept rows.
        rejected: rejected rows, or None.
        reasons: the reason of each rejected row, strings.
        filtered: the number of filtered rows.
    """

    kept: pa.RecordBatch
    rejected: pa.RecordBatch | None = None
    reasons: Any = None
    filtered: int = 0


class Transform(Part):
    """A part that is a function of one batch.

    It keeps system columns unchanged. Rows in = rows kept + rejected + filtered.
    """

    rejects: ClassVar[bool] = False
    # Whether the output has the input's columns for every configuration.
    keeps_columns: ClassVar[bool] = False
    # The column of the kept rows that examples show.
    shows: ClassVar[str] = "value"

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of the kept rows.

        Raises:
            Fault: if the input lacks a column that the configuration names.
        """
        return schema

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        """The result for a batch of at least one row."""
        raise NotImplementedError
