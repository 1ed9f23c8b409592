"""Progress of partitions, noted on batches: it shows whether a shard is behind or keeps up."""

from __future__ import annotations

import json

import pyarrow as pa

from tocsin.kernels.batch import BEGINNING, EVENT_TIME, PARTITION, WATERMARK, by_partition, micros

_REACHED = b"tocsin.reached"
RESULTS = "-"
"""In place of a partition: results of windows have none. Their event time is the progress."""


def progress_of(batch: pa.RecordBatch) -> dict[str, int]:
    """The greatest watermark of each partition in a batch, microseconds.

    For results of windows, their greatest event time.
    """
    if not batch.num_rows:
        return {}
    if batch.column(PARTITION).null_count:
        return {RESULTS: int(micros(batch.column(EVENT_TIME)).max()) + 1}
    # The first rows of a partition arrive before it has a watermark.
    watermarks = micros(batch.column(WATERMARK))
    greatest = {
        one: int(watermarks[rows].max())
        for one, rows in by_partition(batch.column(PARTITION).to_numpy())
    }
    return {str(one): time for one, time in greatest.items() if time > BEGINNING}


def progress_of_all(batches: list[pa.RecordBatch]) -> dict[str, int]:
    """The progress of the partitions of some batches: noted by their source, or from their rows."""
    found: dict[str, int] = {}
    for batch in batches:
        for partition, time in (noted_progress(batch) or progress_of(batch)).items():
            found[partition] = max(time, found.get(partition, time))
    return found


def with_progress(batch: pa.RecordBatch, known: dict[str, int]) -> pa.RecordBatch:
    """The same rows with a note of progress."""
    return batch.replace_schema_metadata(
        {**(batch.schema.metadata or {}), _REACHED: json.dumps(known).encode()}
    )


def noted_progress(batch: pa.RecordBatch) -> dict[str, int]:
    """The progress that `with_progress` noted."""
    found: dict[str, int] = json.loads((batch.schema.metadata or {}).get(_REACHED, b"{}"))
    return found
