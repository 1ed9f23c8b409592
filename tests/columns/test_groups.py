import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tocsin.columns.groups import group_ids, hash_rows, shards

keys = st.lists(st.tuples(st.sampled_from(["a", "b", "", None]), st.integers(0, 3) | st.none()), min_size=1, max_size=30)


@given(keys)
def test_groups_are_those_of_a_dictionary(rows: list[tuple[str | None, int | None]]) -> None:
    texts, numbers = zip(*rows, strict=True)
    ids, first = group_ids([pa.array(texts, pa.string()), pa.array(numbers, pa.int64())])
    seen: dict[object, int] = {}
    assert ids.tolist() == [seen.setdefault(row, len(seen)) for row in rows]
    assert first.tolist() == [rows.index(key) for key in seen]


@given(keys)
def test_equal_rows_hash_alike_however_they_are_encoded(rows: list[tuple[str | None, int | None]]) -> None:
    texts = pa.array([row[0] for row in rows], pa.string())
    assert np.array_equal(hash_rows([texts]), hash_rows([texts.dictionary_encode()]))
    hashes = hash_rows([texts, pa.array([row[1] for row in rows], pa.int64())])
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            assert (hashes[i] == hashes[j]) == (one == other)


def test_hashes_are_the_same_on_every_machine_and_in_every_release() -> None:
    found = hash_rows([pa.array(["air-00001", "", None]), pa.array([1.5, -0.0, 0.0])])
    again = hash_rows([pa.array(["x", "air-00001", ""]).slice(1), pa.array([1.5, 0.0])])
    assert found[:2].tolist() == again.tolist()
    assert hash_rows([pa.array(["air-00001"])]).tolist() == [STABLE]


STABLE = 10811124288516398818


def test_rows_spread_over_the_shards() -> None:
    names = pa.array([f"sensor-{n}" for n in range(4000)])
    counts = np.bincount(shards([names], 16), minlength=16)
    assert counts.min() > 180
    assert counts.max() < 320
