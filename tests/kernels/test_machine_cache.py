"""Machine code is kept by what the sources say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tocsin
from tocsin.kernels.machine_cache import digest, private

LOOP = """
from tocsin.kernels.compiled import compiled, kernel
from parcel.inner.step import step

@compiled
def total(values):
    found = 0.0
    for value in values:
        found = step(found, value)
    return found
"""
STEP = """
from tocsin.kernels.compiled import kernel
from ..constants import FACTOR

@kernel
def step(found, value):
    return found + FACTOR * value
"""
PROGRAM = """
import numpy as np
from parcel.loop import total
print(total(np.arange(4.0)), sum(total._machine.stats.cache_hits.values()))
"""


def parcel(folder: Path, factor: float) -> Path:
    """A package whose compiled function calls a kernel with a constant of a third module."""
    sources = {
        "__init__.py": "",
        "loop.py": LOOP,
        "constants.py": f"FACTOR = {factor}\n",
        "inner/__init__.py": "",
        "inner/step.py": STEP,
    }
    for name, source in sources.items():
        path = folder / "parcel" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    return folder


def run(folder: Path, home: Path) -> str:
    """What the program prints: the total, and how often machine code was found."""
    path = [str(folder), os.environ.get("PYTHONPATH", ""), str(Path(tocsin.__file__).parents[1])]
    given = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment = {**given, "PYTHONPATH": os.pathsep.join(path), "XDG_CACHE_HOME": str(home)}
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_another_copy_of_the_same_sources_compiles_nothing(tmp_path: Path) -> None:
    """A cluster unpacks each code version into a folder of its own."""
    assert run(parcel(tmp_path / "first", 1.0), tmp_path / "home") == "6.0 0\n"
    assert run(parcel(tmp_path / "second", 1.0), tmp_path / "home") == "6.0 1\n"


def test_a_changed_constant_of_an_imported_module_is_seen(tmp_path: Path) -> None:
    assert run(parcel(tmp_path / "first", 1.0), tmp_path / "home") == "6.0 0\n"
    assert run(parcel(tmp_path / "first", 2.0), tmp_path / "home") == "12.0 0\n"


def test_code_compiles_where_no_cache_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file", "utf-8")
    assert run(parcel(tmp_path / "first", 1.0), tmp_path / "home") == "6.0 0\n"


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    """Whoever writes to it has this process run what they wrote."""
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(PermissionError):
        private(open_to_all)
    assert (private(tmp_path / "own").stat().st_mode & 0o777) == 0o700


def test_the_digest_depends_on_contents_and_not_on_places(tmp_path: Path) -> None:
    loops = [parcel(tmp_path / name, 1.0) / "parcel" / "loop.py" for name in ("a", "b")]
    assert digest({loops[0]}) == digest({loops[1]})
    other = parcel(tmp_path / "c", 3.0) / "parcel" / "loop.py"
    assert digest({other}) != digest({loops[0]})
