"""Conditions on rows, as expressions in a job."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.foundation.faults import Fault
from tocsin.kernels.expressions import ExpressionError, evaluate, parse, type_of


def check_condition(written: str, schema: pa.Schema, field: str) -> None:
    """Check that an expression is a condition on rows of a schema.

    Args:
        written: the expression.
        schema: schema of the rows.
        field: the configuration's field, for the error.

    Raises:
        Fault: if the expression has an error or is not boolean.
    """
    try:
        kind = type_of(parse(written), schema)
    except ExpressionError as error:
        raise Fault(str(error), field, at=error.at) from None
    if not pa.types.is_boolean(kind):
        raise Fault(f"a condition is true or false; this is {kind}", field)


def rows_where(written: str, batch: pa.RecordBatch) -> Any:
    """The rows for which the condition is true. Null is not true."""
    return batch.filter(pc.fill_null(evaluate(parse(written), batch), False))
