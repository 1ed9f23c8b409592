"""The operator's project: the nearest folder above the working folder with a `tocsin.toml`.

    [project]
    parts = "parts"

The working folder decides, never the folder of a job file: a job from elsewhere brings no code.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.foundation.failure import Mistake

PROJECT_FILE = "tocsin.toml"
CODE_MANIFEST = "tocsin-code.json"
"""The file at the top of a packed job's code. Workers take its parts, not those of their folder."""
_CHECKOUT = Path(__file__).resolve().parents[2]
_DEFAULT = "parts"


@dataclass(frozen=True)
class Project:
    """file: its `tocsin.toml`. parts: the folder of its parts, which may not exist yet."""

    file: Path
    parts: Path


def find_project() -> Project | None:
    """The project of the working folder. Raises Mistake for a file that is wrong or another user's.

    None without a `tocsin.toml`, and on a worker that runs packed code.
    """
    if (_CHECKOUT / CODE_MANIFEST).is_file():
        return None
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / PROJECT_FILE
        if file.is_file():
            _refuse_strangers(file)
            return Project(file, _parts_of(file))
    return None


def parts_folder() -> Path:
    """The folder for new parts: the project's, the checkout's `transforms`, or `parts` here."""
    project = find_project()
    if project is not None:
        return project.parts
    return _CHECKOUT / "transforms" if _is_checkout() else Path.cwd() / _DEFAULT


def start_project(parts: Path) -> Path | None:
    """Write a `tocsin.toml` here, so that every verb finds a folder of parts inside this folder.

    Returns the file, or None where there is nothing to write: in a project, in the checkout, and
    for a folder elsewhere.
    """
    file, parts = Path.cwd() / PROJECT_FILE, parts.resolve()
    if find_project() is not None or _is_checkout() or file.parent.resolve() not in parts.parents:
        return None
    name = parts.relative_to(file.parent.resolve()).as_posix()
    file.write_text(f"[project]\nparts = {_quoted(name)}\n", "utf-8")
    return file


def _is_checkout() -> bool:
    return (_CHECKOUT / "transforms").is_dir() and Path.cwd().is_relative_to(_CHECKOUT)


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _parts_of(file: Path) -> Path:
    name = _settings(file).get("parts", _DEFAULT)
    if not isinstance(name, str) or not name:
        raise Mistake(f"{file}: project.parts must be a folder, such as {_quoted(_DEFAULT)}")
    folder = (file.parent / name).resolve()
    if file.parent.resolve().is_relative_to(folder):
        # A job's code archive holds the whole folder.
        raise Mistake(f"{file}: project.parts must be a folder of its own inside the project")
    return folder


def _settings(file: Path) -> dict[str, Any]:
    """The table [project]. Raises Mistake for what it does not know."""
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise Mistake(f"{file}: not TOML: {error}") from None
    project = found.get("project", {})
    if not isinstance(project, dict):
        raise Mistake(f"{file}: `project` must be a table: [project]")
    unknown = [*(set(found) - {"project"}), *(f"project.{key}" for key in set(project) - {"parts"})]
    if unknown:
        raise Mistake(f"{file}: unknown setting '{min(unknown)}' (known: project.parts)")
    return project


def _refuse_strangers(file: Path) -> None:
    """Raises Mistake for a file that another user could have put above the working folder."""
    if file.stat().st_uid not in (os.getuid(), 0):
        raise Mistake(
            f"{file} belongs to another user, so its parts are not imported; "
            "change its owner, or work in a folder that is not below it"
        )
