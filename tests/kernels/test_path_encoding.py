from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.path_encoding import path_part


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_part_stays_in_its_folder_and_tells_values_apart(one: str, other: str) -> None:
    part = path_part(one)
    assert 0 < len(part.encode()) <= 200
    assert part not in (".", "..")
    assert not set(part) & set("/\\\0. =")
    assert (part == path_part(other)) == (one == other)


def test_null_is_hives_null_and_no_text_is() -> None:
    assert path_part(None) == "__HIVE_DEFAULT_PARTITION__"
    assert path_part("__HIVE_DEFAULT_PARTITION__") != path_part(None)
