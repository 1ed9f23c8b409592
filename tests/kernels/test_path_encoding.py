from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.path_encoding import path_part


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_name_stays_in_its_folder_and_is_unique(one: str, other: str) -> None:
    part = path_part(one)
    assert 0 < len(part.encode()) <= 200
    assert part not in (".", "..")
    assert not set(part) & set("/\\\0. =")
    assert (part == path_part(other)) == (one == other)


def test_only_null_gives_hives_null_name() -> None:
    assert path_part(None) == "__HIVE_DEFAULT_PARTITION__"
    assert path_part("__HIVE_DEFAULT_PARTITION__") != path_part(None)
