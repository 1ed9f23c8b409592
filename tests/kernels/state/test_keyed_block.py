import numpy as np
import pyarrow as pa
import pytest

from tocsin.kernels.state.keyed_block import KeyedBlock, to_ipc


def keys(*names: str | None) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(names, pa.string())], names=["sensor"])


def test_a_block_keeps_its_rows_through_serialization() -> None:
    block = KeyedBlock.empty(keys().schema, 2)
    assert block.slots(keys("a", "b", "a"), np.array([1.0, 2.0])).tolist() == [0, 1, 0]
    block.values[1, 0] = 9.0
    again = KeyedBlock.from_bytes(block.to_bytes())
    assert again.slots(keys("b", None, "c"), np.zeros(2)).tolist() == [1, 2, 3]
    assert again.values.tolist() == [[1.0, 2.0], [9.0, 2.0], [0.0, 0.0], [0.0, 0.0]]
    again.keep(np.array([False, True, False, True]))
    assert again.slots(keys("c", "b"), np.zeros(2)).tolist() == [1, 0]


def test_state_of_another_version_is_rejected() -> None:
    batch = keys("a").replace_schema_metadata({"tocsin.block": "99"})
    with pytest.raises(ValueError, match="version 99"):
        KeyedBlock.from_bytes(to_ipc(batch))
