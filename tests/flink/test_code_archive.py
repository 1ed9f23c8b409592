"""The archive of a job's code: reproducible, complete, and refused by other versions."""

from __future__ import annotations

import json
import sys
import zipfile
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Any

import pytest

from tocsin.flink import code_archive
from tocsin.flink.code_archive import check_versions, pack, unpack, versions
from tocsin.foundation.failure import Failure
from tocsin.foundation.project import CODE_MANIFEST

ROOT = Path(__file__).resolve().parents[2]


def test_equal_code_gives_equal_bytes_under_the_name_of_their_digest(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    one, other = (pack(folder) for folder in folders)
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()


def test_an_archive_holds_all_source_files_and_no_compiled_ones(tmp_path: Path) -> None:
    with zipfile.ZipFile(pack(tmp_path)) as archive:
        names = set(archive.namelist())
    expected = {file.relative_to(ROOT).as_posix() for file in (ROOT / "tocsin").rglob("*.py")}
    assert expected <= names
    assert any(name.startswith("tocsin/transforms/") for name in names)
    assert not [name for name in names if name.endswith(".pyc") or "__pycache__" in name]


def test_unpacking_twice_gives_one_folder_with_the_same_files(tmp_path: Path) -> None:
    packed = pack(tmp_path)
    folder = unpack(packed.read_bytes(), tmp_path / "code")
    before = (folder / CODE_MANIFEST).stat().st_mtime_ns
    assert unpack(packed.read_bytes(), tmp_path / "code") == folder
    assert (folder / CODE_MANIFEST).stat().st_mtime_ns == before
    assert [path.name for path in (tmp_path / "code").iterdir()] == [folder.name]
    job = (folder / "tocsin" / "compiler" / "job.py").read_bytes()
    assert job == (ROOT / "tocsin" / "compiler" / "job.py").read_bytes()
    assert json.loads((folder / CODE_MANIFEST).read_text())["versions"] == versions()


def test_a_third_partys_package_travels_with_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "their_parts"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""Parts."""\n')
    (package / "pump.py").write_text("PUMP = 1\n")

    class Theirs(Distribution):
        name = "their-parts"
        version = "1.2"
        entry_points: Any = [EntryPoint("theirs", "their_parts", "tocsin.parts")]

        def read_text(self, filename: str) -> str | None:
            return None

        def locate_file(self, path: Any) -> Any:
            return path

    entry = EntryPoint("theirs", "their_parts", "tocsin.parts")._for(Theirs())
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(code_archive, "_third_party", lambda: [entry])
    with zipfile.ZipFile(pack(tmp_path)) as archive:
        names = set(archive.namelist())
        points = archive.read("their_parts-1.2.dist-info/entry_points.txt").decode()
    assert {"their_parts/__init__.py", "their_parts/pump.py"} <= names
    assert points == "[tocsin.parts]\ntheirs = their_parts\n"


def test_a_missing_package_cannot_be_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = EntryPoint("theirs", "no_such_parts", "tocsin.parts")
    monkeypatch.setattr(code_archive, "_third_party", lambda: [entry])
    with pytest.raises(Failure, match="the package 'no_such_parts' is one file or missing"):
        pack(tmp_path)


def test_different_versions_are_listed() -> None:
    check_versions(versions())
    with pytest.raises(Failure) as failed:
        check_versions({**versions(), "pyarrow": "1.0", "unheard-of": "2"})
    assert failed.value.sentence == (
        f"the workers ({sys.executable}) cannot run this job: "
        f"pyarrow 1.0 at the submitter, {versions()['pyarrow']} here; "
        "unheard-of 2 at the submitter, none here; install the same versions on both sides"
    )
