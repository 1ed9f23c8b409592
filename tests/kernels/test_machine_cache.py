"""Machine code outlives its process, and is used only where nothing that it depends on changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tocsin
from tocsin.kernels import machine_folder

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
DETECTOR = """
from collections import namedtuple
from tocsin.kernels.recurrence import Recurrence
from tocsin.kernels.sensor_state import Layout, SensorState
from parcel.inner.step import step as add

class State(SensorState):
    total: float = 0.0

def step(x, t, parameters, state):
    state.total = add(state.total, x) + parameters.more
    return state.total, t

# This module has no name for the class, like the class of a detector's parameters.
parameters = namedtuple("Parameters", ["more"])(0.0)
recurrence, layout = Recurrence(step, State), Layout.of(State, None)
"""
COUNTED = """
import sys
import numpy as np
from numba.core import event

class Compilations(event.Listener):
    count = 0
    def on_start(self, event):
        self.count += 1
    def on_end(self, event):
        pass

seen = Compilations()
event.register("numba:compile", seen)
"""
PROGRAM = f"""{COUNTED}
from parcel.loop import total
print(total(np.arange(4.0)), seen.count)
"""
DETECTION = f"""{COUNTED}
from parcel.detector import layout, parameters, recurrence
x, starts = np.arange(4.0), np.array([0, 4])
scores, _ = recurrence.run(x, x, starts, np.array([layout.start]), parameters, layout)
print(scores[-1], seen.count)
"""


# Two functions of one name, too long to become a part of their callers.
TWINS = """
from tocsin.kernels.compiled import compiled, kernel

lines = "\\n".join(
    f"        x = (x * {i}.5 + y) % 97.0 if x > {i} else x / (y + {i}.25)" for i in range(100)
)
exec(f"def made(factor):\\n    def step(x, y):\\n{lines}\\n        return factor\\n    return step")
double, triple = kernel(made(2.0)), kernel(made(3.0))

@compiled
def twice(values):
    return double(values[0], 1.0) + double(values[0], 2.0)

@compiled
def thrice(values):
    return triple(values[0], 1.0) + triple(values[0], 2.0)
"""


def parcel(folder: Path, factor: float, comment: str = "") -> Path:
    """A package whose compiled function calls a kernel with a constant of a third module."""
    sources = {
        "__init__.py": "",
        "loop.py": f"# {comment}\n{LOOP}",
        "constants.py": f"# {comment}\nFACTOR = {factor}\n",
        "detector.py": DETECTOR,
        "twins.py": TWINS,
        "inner/__init__.py": "",
        "inner/step.py": STEP,
    }
    for name, source in sources.items():
        path = folder / "parcel" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    return folder


def start(folder: Path, home: Path, program: str = PROGRAM, **more: str) -> subprocess.Popen[str]:
    path = [str(folder), os.environ.get("PYTHONPATH", ""), str(Path(tocsin.__file__).parents[1])]
    given = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment = {**given, "PYTHONPATH": os.pathsep.join(path), "XDG_CACHE_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, home: Path, program: str = PROGRAM, **more: str) -> str:
    """What the program prints: the total, and how many functions it compiled."""
    return result(start(folder, home, program, **more))


def result(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    return out


def files(home: Path) -> list[Path]:
    return sorted((home / "tocsin" / "machine-code").iterdir())


def test_another_copy_of_the_same_sources_compiles_nothing(tmp_path: Path) -> None:
    """A cluster unpacks each code version into a folder of its own."""
    home = tmp_path / "home"
    assert run(parcel(tmp_path / "first", 1.0), home) == "6.0 2\n"
    assert run(parcel(tmp_path / "second", 1.0, "Another comment."), home) == "6.0 0\n"


def test_a_detector_in_another_process_compiles_nothing(tmp_path: Path) -> None:
    """Its loop calls a step that is chosen at run time, with parameters of a class made there."""
    home, first = tmp_path / "home", parcel(tmp_path / "first", 1.0)
    assert run(first, home, DETECTION) == "6.0 3\n"
    assert run(first, home, DETECTION) == "6.0 0\n"
    assert run(parcel(tmp_path / "second", 2.0), home, DETECTION) == "12.0 3\n"


def test_a_changed_constant_of_an_imported_module_is_seen(tmp_path: Path) -> None:
    assert run(parcel(tmp_path / "first", 1.0), tmp_path / "home") == "6.0 2\n"
    assert run(parcel(tmp_path / "first", 2.0), tmp_path / "home") == "12.0 2\n"


def test_code_of_another_processor_is_not_used(tmp_path: Path) -> None:
    code, home = parcel(tmp_path / "first", 1.0), tmp_path / "home"
    assert run(code, home, NUMBA_CPU_NAME="generic") == "6.0 2\n"
    assert run(code, home) == "6.0 2\n"
    assert run(code, home, NUMBA_CPU_NAME="generic") == "6.0 0\n"


def test_code_of_another_numba_is_not_used(tmp_path: Path) -> None:
    code, home = parcel(tmp_path / "first", 1.0), tmp_path / "home"
    other = "import numba; numba.__version__ = '0.65.9'\n" + PROGRAM
    assert run(code, home) == "6.0 2\n"
    assert run(code, home, other) == "6.0 2\n"


def test_code_compiles_where_no_folder_can_be_written(tmp_path: Path) -> None:
    code = parcel(tmp_path / "first", 1.0)
    (tmp_path / "home").write_text("a file", "utf-8")
    assert run(code, tmp_path / "home") == "6.0 2\n"
    homeless = "import pathlib\ndef home(): raise RuntimeError\npathlib.Path.home = home\n"
    assert run(code, Path(), homeless + PROGRAM, XDG_CACHE_HOME="") == "6.0 2\n"
    assert not list((tmp_path / "first").rglob("*.machine"))


def test_installed_code_is_used_where_no_folder_can_be_written(tmp_path: Path) -> None:
    """An image holds machine code under its prefix, and its user has no folder."""
    code, shared = parcel(tmp_path / "first", 1.0), tmp_path / "prefix/share/tocsin/machine-code"
    elsewhere = f"import sys; sys.prefix = '{tmp_path / 'prefix'}'\n" + PROGRAM
    assert run(code, tmp_path, elsewhere, NUMBA_CACHE_DIR=str(shared)) == "6.0 2\n"
    assert shared.stat().st_mode & 0o777 == 0o755
    (tmp_path / "home").write_text("a file", "utf-8")
    assert run(code, tmp_path / "home", elsewhere) == "6.0 0\n"


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:99] + bytes([content[99] ^ 1]) + content[100:],
    ],
)
def test_a_damaged_file_is_compiled_again(tmp_path: Path, damage) -> None:
    """After a power loss a file may be shorter, or hold zeros."""
    code, home = parcel(tmp_path / "first", 1.0), tmp_path / "home"
    run(code, home)
    (file,) = files(home)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert run(code, home) == "6.0 2\n"
    assert run(code, home) == "6.0 0\n"


def test_a_whole_file_that_is_no_machine_code_is_compiled_again(tmp_path: Path) -> None:
    code, home = parcel(tmp_path / "first", 1.0), tmp_path / "home"
    run(code, home)
    (file,) = files(home)
    save = f"from tocsin.kernels import machine_folder; machine_folder.save('{file.stem}', b'no')\n"
    assert run(code, home, save + PROGRAM) == "6.0 2\n"


def test_processes_that_start_at_one_time_all_have_their_result(tmp_path: Path) -> None:
    """Numba's own cache numbers its files, so two processes could write each other's."""
    code, home = parcel(tmp_path / "first", 1.0), tmp_path / "home"
    whole = PROGRAM.replace("np.arange(4.0)", "np.arange(4)")
    started = [start(code, home, one) for one in (PROGRAM, whole) * 2]
    assert {result(one).split()[0] for one in started} == {"6.0"}
    assert (run(code, home), run(code, home, whole)) == ("6.0 0\n", "6.0 0\n")
    assert len(files(home)) == 2


def test_functions_of_one_name_from_two_processes_stay_apart(tmp_path: Path) -> None:
    """Numba numbers functions in each process, and its linker took the first of a name."""
    code, home = parcel(tmp_path / "first", 1.0), tmp_path / "home"
    both = f"{COUNTED}\nfrom parcel.twins import thrice, twice\none = np.ones(1)\n"
    run(code, home, both + "twice(one)")
    run(code, home, both + "thrice(one)")
    assert run(code, home, both + "print(twice(one), thrice(one), seen.count)") == "4.0 6.0 0\n"


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    """Whoever writes to it has this process run what they wrote."""
    code, home = parcel(tmp_path / "first", 1.0), tmp_path / "home"
    run(code, home)
    (file,) = files(home)
    file.parent.chmod(0o777)
    assert run(code, home) == "6.0 2\n"
    with pytest.raises(PermissionError):
        machine_folder.private(file.parent)
    assert (machine_folder.private(tmp_path / "own").stat().st_mode & 0o777) == 0o700


def test_what_nobody_uses_for_a_month_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    for name in ("old", "used"):
        machine_folder.save(name, name.encode())
        os.utime(tmp_path / f"{name}.machine", (1e9, 1e9))
    assert machine_folder.load("used") == b"used"
    machine_folder.save("new", b"new")
    assert {path.stem for path in tmp_path.iterdir()} == {"used", "new"}
