"""Third-party packages and project folders, as pip or a user leaves them on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

DROP = '''"""Drops values above a limit."""

import pyarrow.compute as pc

from tocsin.api.transform import Outcome, Param, Transform


class Drop(Transform):
    """Keeps rows whose value is at most a limit; rows with a null value are dropped."""

    above: float = Param(3.0, help="greatest value that is kept")

    def apply(self, batch):
        kept = batch.filter(pc.less_equal(batch.column("value"), self.above))
        return Outcome(kept, filtered=batch.num_rows - kept.num_rows)

    examples = [({"above": 3.0}, [1.0, 5.0], [1.0])]
'''


def write_parts(folder: Path, files: dict[str, str]) -> Path:
    """Write `verb/part.py` files into a folder of parts; every folder becomes a package."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        for package in (folder, file.parent):
            (package / "__init__.py").touch()
        file.write_text(text)
    return folder


def install_package(site: Path, name: str, files: dict[str, str]) -> Path:
    """Install the package `NAME_parts` with its entry point into a folder for PYTHONPATH."""
    write_parts(site / f"{name}_parts", files)
    info = site / f"{name}_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-parts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tocsin.parts]\n{name} = {name}_parts\n")
    return site


def run_command(
    *arguments: object, cwd: Path = ROOT, site: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `tocsin` in a process of its own: it finds parts once, from its folder and its path."""
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *(str(argument) for argument in arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=command_environment(ROOT, *([] if site is None else [site])),
        check=False,
    )


def command_environment(*path: Path) -> dict[str, str]:
    """This environment with the folders that Python imports from."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
