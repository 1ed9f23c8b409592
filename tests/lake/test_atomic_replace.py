"""Files and folders are replaced as a whole, and no hidden file remains."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.lake.atomic_replace import (
    exchange_folders,
    is_staging,
    remove_folder,
    replace_file,
    staging_name,
)


def test_an_open_file_keeps_its_rows_and_a_new_reader_sees_the_others(tmp_path: Path) -> None:
    target = tmp_path / "a.parquet"
    replace_file(pa.table({"a": [1]}), target)
    with target.open("rb") as reader:
        replace_file(pa.table({"a": [2, 3]}), target)
        assert parquet.read_table(reader).column("a").to_pylist() == [1]
    assert parquet.read_table(target).column("a").to_pylist() == [2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_folders_exchange_their_content(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").touch()
    exchange_folders(tmp_path / "one", tmp_path / "other")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["other.txt"]
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["one.txt"]


def test_a_missing_folder_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with pytest.raises(Failure, match=r"cannot exchange two folders .*No such file.* is unchanged"):
        exchange_folders(tmp_path / "one", tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_system_without_the_call_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(*_: Any, **__: Any) -> object:
        return object()

    monkeypatch.setattr(ctypes, "CDLL", without)
    with pytest.raises(Failure, match="Function not implemented"):
        exchange_folders(tmp_path / "one", tmp_path / "other")


def test_staging_names_are_unique_hidden_and_recognised() -> None:
    names = {staging_name("merge") for _ in range(50)} | {staging_name("backfill")}
    assert len(names) == 51
    assert all(name.startswith(".") and is_staging(Path("lake") / name) for name in names)
    assert not is_staging(Path("lake/air"))
    assert not is_staging(Path("lake/.other-0123"))


def test_removing_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove_folder(tmp_path / "none")
