"""What a wheel installs, and the one place of the version."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
import setuptools

from tests.shape.imports import CODE, ROOT
from tocsin import __version__


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py gives to setuptools."""
    given: dict[str, Any] = {}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(setuptools, "setup", lambda **settings: given.update(settings))
    runpy.run_path("setup.py")
    return given


def test_only_tocsin_is_importable_after_an_installation(settings: dict[str, Any]) -> None:
    assert {name.partition(".")[0] for name in settings["packages"]} == {"tocsin"}
    assert "tocsin.transforms.detectors" in settings["packages"]


def test_every_file_of_code_is_in_a_package_that_is_installed(settings: dict[str, Any]) -> None:
    places = settings["package_dir"]
    folders = {places.get(name, name.replace(".", "/")) for name in settings["packages"]}
    assert {path.parent.relative_to(ROOT).as_posix() for path in CODE} - folders == set()
    assert all((ROOT / folder / "__init__.py").is_file() for folder in folders)


def test_the_version_is_in_one_place(tocsin: Any) -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" not in pyproject["project"]
    assert pyproject["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "tocsin.__version__"}
    assert tocsin("--version") == (0, f"{__version__}\n", "")
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    written = [path for path in CODE if f'"{__version__}"' in path.read_text("utf-8")]
    assert written == [Path(ROOT / "tocsin" / "__init__.py")]
