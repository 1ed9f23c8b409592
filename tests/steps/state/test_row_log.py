"""The log of a shard's rows: joined, and rewritten only where most rows are spent."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tocsin.kernels.batch import EVENT_TIME, WATERMARK, timestamps
from tocsin.steps.state.late_rows import re_timed, set_apart
from tocsin.steps.state.row_log import is_spent, rows_of, same_pieces

SCHEMA = pa.schema([("x", pa.int64())], metadata={"of": "all"})


def batch(*values: int, of: str = "one") -> pa.RecordBatch:
    schema = SCHEMA.with_metadata({"of": of})
    return pa.RecordBatch.from_arrays([pa.array(values, pa.int64())], schema=schema)


def test_a_log_is_one_batch_with_the_metadata_of_the_shard() -> None:
    found = rows_of([batch(1, 2), batch(of="two"), batch(3, of="three")], SCHEMA)
    assert found.to_pydict() == {"x": [1, 2, 3]}
    assert found.schema.metadata == {b"of": b"all"}
    empty = rows_of([], SCHEMA)
    assert (empty.num_rows, empty.schema.equals(SCHEMA, check_metadata=True)) == (0, True)


@pytest.mark.parametrize(
    ("rows", "left", "spent"),
    [
        (0, 0, False),
        (1, 0, True),
        (4000, 1, False),
        (4001, 1, True),
        (4001, 2000, True),
        (4002, 2001, False),
        (4003, 2001, True),
        (10_000, 5000, False),
        (10_001, 5000, True),
    ],
)
def test_a_log_is_rewritten_when_more_than_half_of_it_is_spent(
    rows: int, left: int, spent: bool
) -> None:
    assert is_spent(rows, left) is spent


def test_pieces_are_the_same_if_they_are_the_same_objects() -> None:
    one, other = bytes(bytearray(b"piece")), bytes(bytearray(b"piece"))
    assert one == other
    assert same_pieces([], [])
    assert same_pieces([one, other], [one, other])
    assert not same_pieces([one], [other])
    assert not same_pieces([one, other], [other, one])
    assert not same_pieces([one], [one, other])
    assert not same_pieces([one], [])


def readings() -> pa.RecordBatch:
    columns = [pa.array([1, 2, 3]), timestamps(np.array([10, 20, 30]))]
    fields = [("x", pa.int64()), (EVENT_TIME, columns[1].type), (WATERMARK, columns[1].type)]
    schema = pa.schema(fields, metadata={"of": "all"})
    return pa.RecordBatch.from_arrays([*columns, timestamps(np.array([15, 5, 99]))], schema=schema)


def micros(batch: pa.RecordBatch, name: str) -> list[int]:
    found: list[int] = batch.column(name).cast(pa.int64()).to_pylist()
    return found


def test_late_rows_take_the_watermark_for_their_time() -> None:
    others, outputs = set_apart(readings(), np.array([True, False, True]))
    assert others.column("x").to_pylist() == [2]
    assert micros(others, EVENT_TIME) == [20]
    assert list(outputs) == ["late"]
    late = outputs["late"]
    assert late.column("x").to_pylist() == [1, 3]
    assert micros(late, EVENT_TIME) == micros(late, WATERMARK) == [15, 99]
    assert late.schema.equals(others.schema, check_metadata=True)


def test_without_late_rows_the_batch_stays() -> None:
    batch = readings()
    others, outputs = set_apart(batch, np.zeros(3, bool))
    assert others is batch
    assert outputs == {}
    none, outputs = set_apart(batch, np.ones(3, bool))
    assert (none.num_rows, outputs["late"].num_rows) == (0, 3)
    assert micros(re_timed(batch), EVENT_TIME) == [15, 5, 99]
