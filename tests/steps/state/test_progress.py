"""How far partitions have come travels with rows, and tells when a shard that is behind is advanced."""

from __future__ import annotations

import pyarrow as pa

from tests.support.streams import SECOND, START, batch_of, rows_of
from tocsin.engines.beam.operators.stateful_dofn import _Held
from tocsin.kernels.batch import PARTITION
from tocsin.steps.state.progress import reached, reached_by, with_reached


def test_the_greatest_watermark_of_each_partition_travels_with_rows() -> None:
    quick, slow = rows_of(
        [[("a", 10, 1.0), ("a", 30, 1.0), ("a", 31, 1.0)], [("b", 12, 1.0), ("b", 13, 1.0)]]
    )
    batch = batch_of(quick + slow)
    # A row knows the watermark of its partition before it.
    known = {"0": START + 25 * SECOND, "1": START + 7 * SECOND}
    assert reached(batch) == known
    # Rows that went to a shard need not be of all partitions.
    assert reached_by(with_reached(batch.slice(0, 1), known)) == known
    assert reached_by(batch) == {}


def test_results_of_windows_have_reached_their_own_time() -> None:
    batch = batch_of(rows_of([[("a", 10, 1.0), ("a", 30, 1.0)]])[0])
    at = batch.schema.get_field_index(PARTITION)
    results = batch.set_column(at, batch.schema.field(at), pa.nulls(2, batch.schema.field(at).type))
    assert reached(results) == {"-": START + 30 * SECOND + 1}
    assert reached(results.slice(0, 0)) == {}


def test_a_shard_that_is_behind_waits_for_what_the_slowest_has_reached_and_one_that_keeps_up_does_not() -> (
    None
):
    held = _Held()
    due = START + 60 * SECOND
    assert held.soon(due, 0) == due
    held.note(
        with_reached(batch_of([]), {"0": START + 900 * SECOND, "1": START + 300 * SECOND + 2_000})
    )
    assert held.soon(due, 0) == START + 300 * SECOND
    # A timer fires when the watermark is behind it, and not at its very time; and each step holds a millisecond more.
    assert held.soon(due, 1_000) == START + 300 * SECOND
    assert held.soon(due, 2_000) == START + 299 * SECOND
    # What is noted never goes back.
    held.note(with_reached(batch_of([]), {"0": START, "1": START + 420 * SECOND}))
    assert held.soon(due, 0) == START + 419 * SECOND
    assert held.soon(START + 500 * SECOND, 0) == START + 500 * SECOND
    # Results are given when their window's end has been passed.
    held = _Held()
    held.note(with_reached(batch_of([]), {"-": START + 120 * SECOND}))
    assert held.soon(due, 3_000) == START + 120 * SECOND
