"""Every package that is installed is pinned and has a hash."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise

import pytest

from tests.shape.imports import ROOT

LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))
PINNED = re.compile(r"^([a-z0-9-]+)==([^ ;]+)(?: ;[^\\]*)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def packages(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return {found[1]: found[2] for line in lines if (found := PINNED.match(line))}


def declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;,]", one)[0] for one in requirements}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_and_has_a_hash(name: str) -> None:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    assert [line for line in lines if not PINNED.match(line) and not HASH.match(line)] == []
    assert all(HASH.match(after) for line, after in pairwise(lines) if PINNED.match(line))
    assert not PINNED.match(lines[-1])


def test_the_locks_agree_on_every_version() -> None:
    everything = packages("requirements.lock")
    workers = packages("requirements-workers.lock")
    assert {name: everything.get(name) for name in workers} == workers


def test_workers_have_no_development_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    optional = (one for name in ("detectors", "geo", "s3") for one in extras[name])
    needed = declared([*project["dependencies"], *optional])
    tools = declared(extras["dev"]) - needed
    workers = packages("requirements-workers.lock")
    assert needed <= workers.keys()
    # Libraries that are needed need these three.
    assert tools & workers.keys() <= {"matplotlib", "jsonschema", "pandas"}
    assert {"pytest", "mypy", "ruff", "uv", "setuptools"} & workers.keys() == set()


def test_what_builds_the_package_is_in_a_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["build-system"]["requires"] == project["dependency-groups"]["build"]
    built_with = declared(project["build-system"]["requires"])
    assert built_with == packages("requirements-build.lock").keys()


def test_everything_that_installs_packages_demands_hashes() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "HASHED := $(INSTALL) --require-hashes --no-build-isolation" in makefile
    for line in re.findall(r"^\t.*\$\((?:INSTALL|HASHED)\).*$", makefile, re.MULTILINE):
        assert "$(HASHED)" in line or "--no-deps --no-build-isolation" in line, line
    assert makefile.count("pip install") == 1
    image = (ROOT / "infra/images/workers.Dockerfile").read_text("utf-8")
    for line in re.findall(r"pip (?:install|wheel).*", image):
        assert "--require-hashes" in line or "--no-deps" in line, line
        assert "--no-deps" not in line or "--no-build-isolation" in line or "--no-index" in line
