"""Late rows, for the output `late` of a step."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tocsin.kernels.batch import EVENT_TIME, WATERMARK


def set_apart(batch: pa.RecordBatch, late: Any) -> tuple[pa.RecordBatch, dict[str, pa.RecordBatch]]:
    """Split late rows from a batch: the other rows, and the output `late`, if there are late rows.

    late: a bool a row. The other rows keep the metadata of the batch.
    """
    if not late.any():
        return batch, {}
    return batch.filter(pa.array(~late)), {"late": re_timed(batch.filter(pa.array(late)))}


def re_timed(late: pa.RecordBatch) -> pa.RecordBatch:
    """Late rows with the watermark that they arrived behind as their event time.

    A sink then groups them by their arrival. The source's own column of the event time stays as it
    is.
    """
    at = late.schema.get_field_index(EVENT_TIME)
    return late.set_column(at, late.schema.field(at), late.column(WATERMARK))
