"""Prism is found by its variable, on the path, or among Go's binaries, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.engines.beam.prism import find_prism


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and a path of one empty folder."""
    for name in ("TOCSIN_PRISM", "GOBIN", "GOPATH"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path


def binary(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    path.chmod(0o755)
    return str(path)


def test_without_a_binary_there_is_no_prism(folders: Path) -> None:
    assert find_prism() is None


def test_the_variable_precedes_the_path_which_precedes_gos_folder(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_go = binary(folders / "go" / "bin" / "prism")
    assert find_prism() == in_go
    on_path = binary(folders / "path" / "prism")
    assert find_prism() == on_path
    named = binary(folders / "mine")
    monkeypatch.setenv("TOCSIN_PRISM", named)
    assert find_prism() == named


def test_a_variable_that_names_no_file_is_ignored(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_PRISM", str(folders / "none"))
    monkeypatch.setenv("GOBIN", str(folders / "elsewhere"))
    assert find_prism() is None
    assert find_prism() != binary(folders / "elsewhere" / "prism")
    assert find_prism() == str(folders / "elsewhere" / "prism")
