"""Rows of slots in chunks are those of a dictionary of lists, and few of them are copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tocsin.steps.ordered.kept_rows import KeptRows

SCHEMA = pa.schema([pa.field("n", pa.int64()), pa.field("text", pa.string())])
changes = st.lists(
    st.dictionaries(st.integers(0, 9), st.integers(0, 4), min_size=1), min_size=1, max_size=30
)


def batch_of(numbers: list[int]) -> pa.RecordBatch:
    texts = pa.array([str(one) for one in numbers], pa.string())
    return pa.RecordBatch.from_arrays([pa.array(numbers, pa.int64()), texts], schema=SCHEMA)


def changed(rows: KeptRows, known: dict[int, list[int]], change: dict[int, int], at: int) -> None:
    new = {slot: [at * 100 + slot * 10 + one for one in range(change[slot])] for slot in change}
    slots = np.array(sorted(change), np.int64)
    owners = np.repeat(slots, [len(new[slot]) for slot in slots.tolist()])
    rows.replace(slots, owners, batch_of([one for slot in slots.tolist() for one in new[slot]]))
    known.update(new)


def listed(found: tuple[Any, pa.RecordBatch]) -> list[tuple[int, int, str]]:
    owners, rows = found
    columns = [owners.tolist(), *(column.to_pylist() for column in rows.columns)]
    return list(zip(*columns, strict=True))


@given(changes)
def test_rows_are_those_of_a_dictionary(drawn: list[dict[int, int]]) -> None:
    rows, known = KeptRows(SCHEMA), dict[int, list[int]]()
    for at, change in enumerate(drawn):
        rows.make_room(max(change) + 1)
        changed(rows, known, change, at)
        expected = [(slot, one, str(one)) for slot in sorted(known) for one in known[slot]]
        assert listed(rows.all()) == expected
        some = np.array(sorted(change)[::2], np.int64)
        assert listed(rows.of(some)) == [row for row in expected if row[0] in some]
        assert rows.rows == len(expected)


def test_a_change_of_one_slot_copies_few_rows_of_the_others() -> None:
    rows, known = KeptRows(SCHEMA), dict[int, list[int]]()
    rows.make_room(4000)
    changed(rows, known, dict.fromkeys(range(4000), 3), 0)
    pool = pa.default_memory_pool()
    before = pool.total_bytes_allocated()
    for at in range(100):
        changed(rows, known, {at: 3}, at)
    assert (pool.total_bytes_allocated() - before) / 100 < 12_000 * 16 / 10
