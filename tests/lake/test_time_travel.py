"""A lake as it was: at a version, or at a time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.table_files import put, readings
from tocsin.foundation.failure import Failure
from tocsin.lake.query import open_lake
from tocsin.lake.retention import erase


@pytest.fixture
def moments(tmp_path: Path) -> list[str]:
    """A time after each of three commits of a file."""
    found = []
    for hour in range(3):
        put(tmp_path / "d", readings(hour), hour)
        time.sleep(0.005)
        found.append(datetime.now(UTC).isoformat())
        time.sleep(0.005)
    return found


def test_a_version_and_a_time_have_the_rows_of_then(tmp_path: Path, moments: list[str]) -> None:
    for number, moment in enumerate(moments):
        for at in (str(number + 1), moment):
            connection, (only,) = open_lake(tmp_path, at=at)
            assert (only.files, only.rows) == (number + 1, (number + 1) * 6)
            assert connection.execute("select count(*) from d").fetchall() == [(only.rows,)]


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("4", "has no version 4: it has versions 0 to 3"),
        ("2001-01-01", "has no version that is so old"),
        ("soon", "'soon' is neither a version nor a time"),
    ],
)
def test_another_version_is_a_sentence(
    at: str, says: str, tmp_path: Path, moments: list[str]
) -> None:
    with pytest.raises(Failure, match=says):
        open_lake(tmp_path, at=at)


def test_a_version_whose_files_are_erased_names_them(
    tmp_path: Path, moments: list[str], tocsin: Any
) -> None:
    erase(tmp_path, "lock_id", "l-1")
    code, _, errors = tocsin("lake", tmp_path, "select 1", "--at", "3")
    assert code == 1
    assert "cannot be read" in errors
    assert errors.count("\n") == 1
    code, out, _ = tocsin("lake", tmp_path, "select count(*) as n from d", "--json")
    assert (code, '"n": 12' in out) == (0, True)
