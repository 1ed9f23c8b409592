"""The files that a public repository needs: licence, changelog, hooks, images."""

from __future__ import annotations

import re

import yaml

import tocsin
from tests.shape.imports import ROOT

KINDS = {"added", "changed", "deprecated", "removed", "fixed", "security"}


def test_the_licence_is_the_one_that_the_package_names() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text.splitlines()[0]
    assert "END OF TERMS AND CONDITIONS" in text
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_images_copy_files_that_exist() -> None:
    copied = []
    for file in (ROOT / "infra/images").glob("*.Dockerfile"):
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", file.read_text("utf-8"), re.MULTILINE):
            copied += line.split()
    assert "LICENSE" in copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_changelog_has_the_version_and_its_fragments_have_a_kind() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{tocsin.__version__}]" in changelog
    assert set(re.findall(r"^### (\w+)", changelog, re.MULTILINE)) <= {k.title() for k in KINDS}
    for fragment in (ROOT / "changelog.d").iterdir():
        if fragment.name != "README.md":
            assert fragment.stem.rpartition(".")[2] in KINDS, fragment.name
            assert fragment.read_text("utf-8").startswith("- ")


def test_hooks_download_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert {"ruff", "ruff-format", "codespell", "language"} <= {hook["id"] for hook in hooks}
