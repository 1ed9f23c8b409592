import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.aggregation import grouping
from tocsin.kernels.aggregation.grouping import _by_dictionaries, group_ids, hash_rows, shards

keys = st.lists(
    st.tuples(st.sampled_from(["a", "b", "", None]), st.integers(0, 3) | st.none()),
    min_size=1,
    max_size=30,
)


@given(keys)
def test_groups_equal_those_of_a_dictionary(rows: list[tuple[str | None, int | None]]) -> None:
    texts, numbers = zip(*rows, strict=True)
    ids, first = group_ids([pa.array(texts, pa.string()), pa.array(numbers, pa.int64())])
    seen: dict[object, int] = {}
    assert ids.tolist() == [seen.setdefault(row, len(seen)) for row in rows]
    assert first.tolist() == [rows.index(key) for key in seen]


LARGE = 2**62
COLUMNS = {
    "text": (
        st.sampled_from(["", "a", "eight by", "nine byte", "sixteen bytes ok", "é"]),
        pa.string(),
    ),
    "binary": (st.binary(max_size=3), pa.binary()),
    "small": (st.integers(-2, 2), pa.int8()),
    "large": (st.sampled_from([-LARGE, 0, LARGE]), pa.int64()),
    "unsigned": (st.sampled_from([0, 1, 2**64 - 1]), pa.uint64()),
    "time": (st.integers(-2, 2), pa.timestamp("us", tz="UTC")),
    "number": (st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf")]), pa.float64()),
    "flag": (st.booleans(), pa.bool_()),
}


@given(
    st.data(), st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4), st.integers(0, 3)
)
def test_groups_equal_those_by_dictionary_encoding(
    data: st.DataObject, names: list[str], sliced: int
) -> None:
    count = data.draw(st.integers(0, 25))
    columns = []
    for name in names:
        values, kind = COLUMNS[name]
        drawn = data.draw(
            st.lists(st.none() | values, min_size=count + sliced, max_size=count + sliced)
        )
        columns.append(pa.array(drawn, kind).slice(sliced))
    for ours, theirs in zip(
        group_ids(columns), _by_dictionaries([_canonical(c) for c in columns]), strict=True
    ):
        assert ours.tolist() == theirs.tolist()


def _canonical(column: pa.Array) -> pa.Array:
    """The column with 0.0 in place of -0.0."""
    return pc.add(column, 0.0) if pa.types.is_floating(column.type) else column


def test_keys_with_equal_hashes_are_distinguished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "_mix_in", lambda hashes, *_: hashes.fill(7))
    ids, first = group_ids([pa.array(["a", "b", "a", None])])
    assert (ids.tolist(), first.tolist()) == ([0, 1, 0, 2], [0, 1, 3])


@given(keys)
def test_equal_rows_have_equal_hashes_in_any_encoding(
    rows: list[tuple[str | None, int | None]],
) -> None:
    texts = pa.array([row[0] for row in rows], pa.string())
    assert np.array_equal(hash_rows([texts]), hash_rows([texts.dictionary_encode()]))
    hashes = hash_rows([texts, pa.array([row[1] for row in rows], pa.int64())])
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            assert (hashes[i] == hashes[j]) == (one == other)


def test_hashes_are_stable_across_machines_and_releases() -> None:
    found = hash_rows([pa.array(["air-00001", "", None]), pa.array([1.5, -0.0, 0.0])])
    again = hash_rows([pa.array(["x", "air-00001", ""]).slice(1), pa.array([1.5, 0.0])])
    assert found[:2].tolist() == again.tolist()
    assert hash_rows([pa.array(["air-00001"])]).tolist() == [STABLE]


STABLE = 10811124288516398818


def test_rows_are_distributed_over_all_shards() -> None:
    names = pa.array([f"sensor-{n}" for n in range(4000)])
    counts = np.bincount(shards([names], 16), minlength=16)
    assert counts.min() > 180
    assert counts.max() < 320


def nans() -> pa.Array:
    """Not a number, in four patterns of bits: quiet, signed, with a payload, and signalling."""
    words = [0x7FF8000000000000, 0xFFF8000000000000, 0x7FF8000000000123, 0x7FF0000000000001]
    return pa.array(np.array(words, np.uint64).view(np.float64))


def test_not_a_number_is_one_key_whatever_its_bits() -> None:
    ids, first = group_ids([nans()])
    assert (ids.tolist(), first.tolist()) == ([0, 0, 0, 0], [0])
    # A key of two columns: one group for each of the others.
    ids, _ = group_ids([nans(), pa.array(["a", "b", "a", "b"])])
    assert ids.tolist() == [0, 1, 0, 1]


def test_not_a_number_is_in_one_shard_whatever_its_bits_and_its_batch() -> None:
    # A batch each, because within a batch Arrow takes them for one value.
    hashes = {int(hash_rows([nans().slice(at, 1)])[0]) for at in range(4)}
    assert len(hashes) == 1
    assert hashes == {int(hash_rows([pa.array([float("nan")])])[0])}
    assert int(hash_rows([pa.array([0.0])])[0]) not in hashes


@pytest.mark.parametrize("rows", [[7, 7, 8], [7, 8, 7]])
def test_a_collision_in_any_row_is_found(rows: list[int]) -> None:
    """Three rows whose hashes agree are one group only if their values agree."""
    ids, first = np.zeros(3, np.int64), np.zeros(1, np.int64)
    no_nulls, no_ends = np.zeros(0, np.bool_), np.zeros(0, np.int64)
    agree = grouping._agree
    assert agree(ids, first, np.full(3, 7, np.uint64), no_ends, no_nulls)
    assert not agree(ids, first, np.array(rows, np.uint64), no_ends, no_nulls)
    nulls = np.array([False, False, True])
    assert not agree(ids, first, np.full(3, 7, np.uint64), no_ends, nulls)
