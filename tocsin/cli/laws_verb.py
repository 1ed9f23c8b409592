"""`tocsin laws`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from tocsin.cli.console import DONE, FAILED, WRONG, complain, say
from tocsin.parts.part import Part
from tocsin.parts.registry import FOLDERS, load, locations
from tocsin.steps.catalogue import built_in_steps


def laws(*files: Path) -> int:
    """Test parts against the laws that every part must obey. Without a file, test all parts.

    Parameters
    ----------
    files
        Python files with parts.
    """
    from tocsin.laws import run_laws

    parts: list[Any] = []
    for file in files:
        try:
            found = parts_in(file)
        except FileNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001 - the code of a part may raise anything
            complain(f"{file} cannot be loaded: {type(error).__name__}: {error}")
            return WRONG
        if not found:
            complain(
                f"no part in {file}: define a class that extends Aggregation, Detector, "
                "Transform, StatefulStep, Source or Sink"
            )
            return WRONG
        parts += found
    every = (*locations().values(), *built_in_steps().values())
    parts = parts or [load(place) for place in every]
    broken = count = 0
    for part in parts:
        for law, fault in run_laws(part):
            count += 1
            if fault is not None:
                broken += 1
                say(f"BROKEN  {part.__name__}: {law.name.replace('_', ' ')}: {fault}")
    tested = "1 part" if len(parts) == 1 else f"{len(parts)} parts"
    say(f"{tested}, {count} laws: {count - broken} passed, {broken} failed")
    return FAILED if broken else DONE


def parts_in(file: Path) -> list[type[Part]]:
    """The parts that a file defines."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise FileNotFoundError(2, "no such file", str(file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    bases = tuple(FOLDERS.values())
    return [
        v
        for v in vars(module).values()
        if isinstance(v, type) and issubclass(v, bases) and v.__module__ == file.stem
    ]
