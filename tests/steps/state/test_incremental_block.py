"""A block in pieces is the same block, and small changes are small pieces."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.state.keyed_block import KeyedBlock
from tocsin.steps.state import incremental_block
from tocsin.steps.state.incremental_block import IncrementalBlock
from tocsin.steps.state.row_log import same_pieces

KEYS = pa.schema([pa.field("sensor", pa.string())])


def _batch(names: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(names, pa.string())], schema=KEYS)


def _write(kept: IncrementalBlock, names: list[str], value: float) -> list[bytes]:
    known = kept.block.keys.num_rows
    slots = np.unique(kept.block.slots(_batch(names), np.zeros(2)))
    kept.block.values[slots] += [value, 1.0]
    return kept.write(known, slots, {"released": int(value)})


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1), min_size=1, max_size=12),
    st.integers(0, 99),
)
def test_pieces_have_the_content_of_the_block(writes: list[list[str]], seed: int) -> None:
    random = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(incremental_block, "_SMALL", 2)
        patch.setattr(incremental_block, "_PIECES", 5)
        kept, whole = (
            IncrementalBlock(KeyedBlock.empty(KEYS, 2), {}),
            IncrementalBlock(KeyedBlock.empty(KEYS, 2), {}),
        )
        for number, names in enumerate(writes):
            before = list(kept.pieces)
            pieces = _write(kept, names, float(number))
            _write(whole, names, float(number))
            assert len(pieces) == 1 or all(a is b for a, b in zip(before, pieces, strict=False))
            assert same_pieces(kept.pieces, pieces)
            if random.random() < 0.5:
                kept = IncrementalBlock.read([bytes(bytearray(piece)) for piece in pieces], KEYS, 2)
                assert not same_pieces(kept.pieces, pieces)
            assert kept.note == {"released": number}
            assert kept.block.keys.equals(whole.block.keys)
            assert np.array_equal(kept.block.values, whole.block.values)


def test_changes_of_few_rows_are_small_until_half_of_the_rows_changed() -> None:
    kept = IncrementalBlock(KeyedBlock.empty(KEYS, 2), {})
    names = [f"sensor-{number:06}" for number in range(20_000)]
    (whole,) = _write(kept, names, 1.0)
    assert len(whole) < 60 * 20_000
    one, few = _write(kept, names[:100], 2.0)
    assert one is whole
    assert len(few) < 10_000
    assert len(_write(kept, names[:10_000], 3.0)) == 1
    assert len(_write(kept, [*names[:5], "new"], 4.0)) == 2


def test_another_version_is_refused() -> None:
    kept = IncrementalBlock(KeyedBlock.empty(KEYS, 2), {})
    (piece,) = _write(kept, ["a"], 1.0)
    with pytest.raises(ValueError, match="another version"):
        IncrementalBlock.read([piece.replace(b'"version": 2', b'"version": 9')], KEYS, 2)
