"""A filter by condition."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa

from tocsin.api.transform import Outcome, Param, Transform, check_condition, rows_where


class Filter(Transform):
    """Keeps the rows for which a condition is true; filters those for which it is false or null."""

    keeps_columns: ClassVar[bool] = True

    keep: str = Param(
        help="a condition, such as quality == 1 and value is not null", examples=["value > 10"]
    )

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        check_condition(self.keep, schema, "keep")
        return schema

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        kept = rows_where(self.keep, batch)
        return Outcome(kept, filtered=batch.num_rows - kept.num_rows)

    examples = [({"keep": "value > 10"}, [5.0, 15.0, None], [15.0])]
