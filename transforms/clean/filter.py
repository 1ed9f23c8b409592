"""Rows that are of interest."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.api import ExpressionError, Fault, Outcome, Param, Transform, evaluate, parse, type_of


class Filter(Transform):
    """Keeps the rows for which a condition is true; where it is false or null, the row is filtered, and counted."""

    keep: str = Param(help="a condition, such as quality == 1 and value is not null", examples=["value > 10"])

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        try:
            kind = type_of(parse(self.keep), schema)
        except ExpressionError as error:
            raise Fault(str(error), "keep", at=error.at) from None
        if not pa.types.is_boolean(kind):
            raise Fault(f"a condition is true or false; this is {kind}", "keep")
        return schema

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        kept = batch.filter(pc.fill_null(evaluate(parse(self.keep), batch), False))
        return Outcome(kept, filtered=batch.num_rows - kept.num_rows)

    examples = [({"keep": "value > 10"}, [5.0, 15.0, None], [15.0])]
