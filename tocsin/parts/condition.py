"""A condition on one row, as a job writes it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.foundation.faults import Fault
from tocsin.kernels.expressions import ExpressionError, evaluate, parse, type_of


def check_condition(written: str, schema: pa.Schema, field: str) -> None:
    """Raises Fault, at the configuration's `field`, where it is no condition on rows of the schema."""
    try:
        kind = type_of(parse(written), schema)
    except ExpressionError as error:
        raise Fault(str(error), field, at=error.at) from None
    if not pa.types.is_boolean(kind):
        raise Fault(f"a condition is true or false; this is {kind}", field)


def rows_where(written: str, batch: pa.RecordBatch) -> Any:
    """The rows for which it is true, and neither false nor null."""
    return batch.filter(pc.fill_null(evaluate(parse(written), batch), False))
