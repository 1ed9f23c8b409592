import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.time.durations import format_duration, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("30 s", 30_000_000),
        ("10 min", 600_000_000),
        ("1h", 3_600_000_000),
        ("1 h 30 min", 5_400_000_000),
        ("250ms", 250_000),
    ],
)
def test_a_duration_is_parsed(text: str, micros: int) -> None:
    assert parse_duration(text) == micros


@pytest.mark.parametrize("text", ["", "30", "s", "30 parsecs", "-5 s", "5 s x"])
def test_other_text_is_rejected_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="such as '30 s'"):
        parse_duration(text)


@given(st.integers(0, 10**15))
def test_format_and_parse_are_inverse(micros: int) -> None:
    assert parse_duration(format_duration(micros)) == micros


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("7 B", 7),
        ("1.5 kB", 1500),
        ("2 MB", 2_000_000),
        ("3 GB", 3_000_000_000),
        ("4 KiB", 4096),
        ("64 MiB", 64 * 2**20),
        ("1 GiB", 2**30),
    ],
)
def test_a_size_is_parsed(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_a_text_without_a_size_is_rejected_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="such as '64 MiB'"):
        parse_size("lots")


def test_a_duration_has_up_to_a_thousand_years() -> None:
    assert parse_duration("365250 d") == 365_250 * 86_400_000_000
    for text in ("365250 d 1 s", "99999999 w", "1000000000000000000000000000000 h"):
        with pytest.raises(ValueError, match="is longer than 1,000 years"):
            parse_duration(text)
