"""Late rows, as the output `late` of a step has them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tocsin.kernels.batch import EVENT_TIME, WATERMARK


def set_apart(batch: pa.RecordBatch, late: Any) -> tuple[pa.RecordBatch, dict[str, pa.RecordBatch]]:
    """The rows that are not late, with the batch's metadata, and the output `late` where there are any. late: a bool a row."""
    if not late.any():
        return batch, {}
    return batch.filter(pa.array(~late)), {"late": re_timed(batch.filter(pa.array(late)))}


def re_timed(late: pa.RecordBatch) -> pa.RecordBatch:
    """Late rows at the watermark that they met, so that a sink groups them by when they came and not by when they were.

    The column of the event time that the source named keeps the reading's own time.
    """
    at = late.schema.get_field_index(EVENT_TIME)
    return late.set_column(at, late.schema.field(at), late.column(WATERMARK))
