"""What tools read from the footers of a lake's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.table_files import put, readings
from tocsin.foundation.failure import Failure
from tocsin.lake.catalog import catalog
from tocsin.lake.footers import brief, merged, offsets_in, start_of, unreadable
from tocsin.lake.query import open_lake
from tocsin.lake.retention import retain


def test_offsets_of_files_are_merged_by_topic_and_partition() -> None:
    one = {"a": {"0": (5, 9), "1": (0, 0)}, "b": {"0": (1, 1)}}
    other = {"a": {"0": (2, 7)}, "c": {"3": (4, 4)}}
    assert merged([one, other]) == {
        "a": {"0": (2, 9), "1": (0, 0)}, "b": {"0": (1, 1)}, "c": {"3": (4, 4)},
    }  # fmt: skip
    assert merged([other, one]) == merged([one, other])
    assert merged([]) == offsets_in({}) == {}


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    good = put(tmp_path / "d", readings(0))
    odd = put(tmp_path / "d", readings(1), offsets="[3]")
    torn, gone = tmp_path / "torn.parquet", tmp_path / "gone.parquet"
    torn.write_bytes(b"PAR1")
    found = unreadable([good, odd, torn, gone])
    assert list(found) == [odd, torn, gone]
    assert found[odd].startswith(f"{odd}: cannot be read: its footer is not tocsin's: ")
    assert found[torn].startswith(f"{torn}: cannot be read: ")


def test_an_error_is_shortened_to_its_first_line() -> None:
    assert brief(ValueError("  one\ntwo")) == "one"
    assert brief(KeyError()) == "KeyError"


@pytest.mark.parametrize(("unit", "start"), [("-5.s000.r0", -5), ("x.s000.r0", None), ("", None)])
def test_the_start_of_a_unit_is_a_number_or_unknown(unit: str, start: int | None) -> None:
    assert start_of(unit) == start


@pytest.mark.parametrize("name", ["until", "retention"])
@pytest.mark.parametrize("value", ["", "soon", "1.5", "1e3", "9" * 20, "½"])
def test_a_number_of_a_footer_that_is_none_is_a_sentence(
    name: str, value: str, tmp_path: Path
) -> None:
    file = put(tmp_path / "d", readings(0), **{name: value})
    reads: list[Any] = [catalog, retain, open_lake]
    for read in reads:
        with pytest.raises(Failure, match=f"{file}.*'tocsin.{name}' is no number"):
            read(tmp_path)
    assert list(unreadable([file])) == [file]
