"""`tocsin new`."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from typing import Literal

from tocsin.cli.console import DONE, WRONG, complain, note, say
from tocsin.foundation.project import parts_folder, start_project
from tocsin.parts.registry import locations

_TEMPLATES = Path(__file__).with_name("templates")
_FOLDERS = {"aggregation": "aggregations", "detector": "detectors", "step": "steps"}


def new(
    kind: Literal["aggregation", "detector", "read", "clean", "enrich", "alert", "step", "write"],
    name: str,
    *,
    to: Path | None = None,
) -> int:
    """Write the file of a new part, which breaks a law until you fill it in.

    Parameters
    ----------
    kind
        What it is. Transforms are `clean` (filters and rejects rows), `enrich` (adds columns) and
        `alert` (one alarm a row).
    name
        Its name in snake case, such as stuck_pump.
    to
        Folder of parts. By default the project's, as its tocsin.toml says; without a project,
        `parts` in the working folder, and a tocsin.toml is written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        complain(f"'{name}' is not a name in snake case, such as stuck_pump")
        return WRONG
    folder = to or parts_folder()
    room = _FOLDERS.get(kind, kind)
    file = folder / room / f"{name}.py"
    if file.exists():
        complain(f"{file} is already there")
        return WRONG
    taken = locations().get(f"{room}/{name}")
    if taken is not None:
        complain(f"'{name}' is the name of the part in {taken.file}; choose another")
        return WRONG
    _make_room(file.parent)
    type_name = "".join(word.capitalize() for word in name.split("_"))
    template = Template((_TEMPLATES / f"{kind}.py.txt").read_text("utf-8"))
    file.write_text(template.substitute(type=type_name, name=name), "utf-8")
    project = start_project(folder)
    if project is not None:
        note(f"{project} is new: commands in its folder and below find the part")
    say(f"{file}\nfill in what says TODO, then: tocsin laws {file}")
    return DONE


def _make_room(folder: Path) -> None:
    """Make a folder of parts; a package like its neighbours, if they are packages."""
    folder.mkdir(parents=True, exist_ok=True)
    are_packages = any(folder.parent.glob("*/__init__.py"))
    if are_packages and not (folder / "__init__.py").exists():
        (folder / "__init__.py").write_text(f'"""Parts of the folder {folder.name}."""\n', "utf-8")
