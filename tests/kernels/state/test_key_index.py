"""The key index finds the rows that grouping all keys again would give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.state import keyed_block
from tocsin.kernels.state.key_index import KeyIndex
from tocsin.kernels.state.keyed_block import KeyedBlock

SCHEMA = pa.schema([pa.field("sensor", pa.string()), pa.field("number", pa.float64())])
KEYS = st.lists(
    st.tuples(
        st.none() | st.text("ab", max_size=3),
        st.none() | st.sampled_from([0.0, -0.0, 1.5, float("nan")]),
    )
)


def _batch(keys: list[tuple[Any, Any]]) -> pa.RecordBatch:
    columns = [pa.array([key[at] for key in keys], field.type) for at, field in enumerate(SCHEMA)]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _plain(key: tuple[Any, Any]) -> tuple[Any, Any]:
    """One key for all NaN, and one for 0 and -0."""
    text, number = key
    return text, "nan" if number is not None and np.isnan(number) else number


@given(st.lists(KEYS, max_size=6), st.booleans())
def test_slots_equal_those_of_a_dictionary(
    batches: list[list[tuple[Any, Any]]], all_collide: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if all_collide:
            patch.setattr(
                keyed_block, "group_hashes", lambda columns: np.full(len(columns[0]), 7, np.uint64)
            )
        block = KeyedBlock.empty(SCHEMA, 1)
        expected: dict[Any, int] = {}
        for keys in batches:
            slots = [expected.setdefault(_plain(key), len(expected)) for key in keys]
            if keys:
                assert block.slots(_batch(keys), np.array([float(len(expected))])).tolist() == slots
            assert len(block.values) == len(expected)


def test_an_index_of_many_keys_finds_exactly_those() -> None:
    index, hashes = (
        KeyIndex(),
        np.random.default_rng(3).permutation(np.arange(100_000, dtype=np.uint64) << np.uint64(20)),
    )
    for start in range(0, 50_000, 777):
        index.add(hashes[start : min(start + 777, 50_000)])
    assert index.find(hashes[:50_000]).tolist() == list(range(50_000))
    assert (index.find(hashes[50_000:]) == -1).all()
