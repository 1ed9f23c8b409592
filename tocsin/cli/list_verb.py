"""`tocsin list`."""

from __future__ import annotations

import ast
from pathlib import Path

from tocsin.cli.console import DONE, say, show_json, table
from tocsin.cli.part_page import BRIDGES
from tocsin.parts.registry import FOLDERS, locations
from tocsin.steps.catalogue import built_in_steps


def list_parts(*, json: bool = False) -> int:
    """List all parts: steps, aggregations and detectors; built-in, of the project and of packages.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    rows = [["step", name, summary(place.file, name)] for name, place in built_in_steps().items()]
    rows += [["step", name, text] for name, text in BRIDGES.items()]
    for folder in FOLDERS:
        for place in locations().values():
            if place.folder == folder:
                rows.append([folder, place.name_in_jobs, summary(place.file, place.type_name)])
    if json:
        show_json([{"kind": kind, "name": name, "summary": text} for kind, name, text in rows])
    else:
        say(table(["kind", "name", "summary"], rows))
    return DONE


def summary(file: Path, type_name: str) -> str:
    """First line of the class's docstring, read without importing it."""
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (SyntaxError, ValueError) as error:
        return f"(cannot be read as Python: {error})"
    wanted = type_name.rpartition("/")[2]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == wanted:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return f"(the file has no class {wanted})"
