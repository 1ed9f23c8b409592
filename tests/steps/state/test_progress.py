"""Progress of partitions travels with rows, and decides when a shard that is behind advances."""

from __future__ import annotations

import pyarrow as pa

from tests.support.streams import SECOND, START, batch_of, rows_of
from tocsin.engines.beam.operators.shard_cache import ShardCache
from tocsin.kernels.batch import PARTITION
from tocsin.steps.state.progress import (
    noted_progress,
    progress_of,
    progress_of_all,
    with_progress,
)


def test_the_greatest_watermark_of_each_partition_travels_with_rows() -> None:
    quick, slow = rows_of(
        [[("a", 10, 1.0), ("a", 30, 1.0), ("a", 31, 1.0)], [("b", 12, 1.0), ("b", 13, 1.0)]]
    )
    batch = batch_of(quick + slow)
    # A row knows the watermark of its partition before it.
    known = {"0": START + 25 * SECOND, "1": START + 7 * SECOND}
    assert progress_of(batch) == known
    # Rows that went to a shard need not be of all partitions.
    assert noted_progress(with_progress(batch.slice(0, 1), known)) == known
    assert noted_progress(batch) == {}
    # Other notes stay.
    noted = batch.replace_schema_metadata({b"offsets": b"1"})
    assert with_progress(noted, known).schema.metadata[b"offsets"] == b"1"


def test_the_progress_of_window_results_is_their_own_time() -> None:
    batch = batch_of(rows_of([[("a", 10, 1.0), ("a", 30, 1.0)]])[0])
    at = batch.schema.get_field_index(PARTITION)
    results = batch.set_column(at, batch.schema.field(at), pa.nulls(2, batch.schema.field(at).type))
    assert progress_of(results) == {"-": START + 30 * SECOND + 1}
    assert progress_of(results.slice(0, 0)) == {}


def test_a_shard_that_is_behind_waits_for_the_slowest_partition() -> None:
    cache = ShardCache()
    due = START + 60 * SECOND
    assert cache.soon(due, 0) == due
    cache.note(
        with_progress(batch_of([]), {"0": START + 900 * SECOND, "1": START + 300 * SECOND + 2_000})
    )
    assert cache.soon(due, 0) == START + 300 * SECOND
    # A timer fires when the watermark has passed it, and each step holds a millisecond more.
    assert cache.soon(due, 1_000) == START + 300 * SECOND
    assert cache.soon(due, 2_000) == START + 299 * SECOND
    # What is noted never goes back.
    cache.note(with_progress(batch_of([]), {"0": START, "1": START + 420 * SECOND}))
    assert cache.soon(due, 0) == START + 419 * SECOND
    assert cache.soon(START + 500 * SECOND, 0) == START + 500 * SECOND
    # Results are given when their window's end has been passed.
    cache = ShardCache()
    cache.note(with_progress(batch_of([]), {"-": START + 120 * SECOND}))
    assert cache.soon(due, 3_000) == START + 120 * SECOND


def test_batches_count_by_their_note_or_else_by_their_rows() -> None:
    quick, slow = rows_of([[("a", 10, 1.0), ("a", 30, 1.0)], [("b", 12, 1.0), ("b", 13, 1.0)]])
    noted = with_progress(batch_of(quick), {"0": START + 90 * SECOND})
    found = progress_of_all([noted, batch_of(slow), batch_of(quick)])
    assert found == {"0": START + 90 * SECOND, "1": progress_of(batch_of(slow))["1"]}
