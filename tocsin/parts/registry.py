"""Parts by name: a name is a file, found without importing any; the class is imported when it is used.

Built-in parts live in the folders of `transforms`. Third parties ship a package with the same folder names and one entry
point in the group `tocsin.parts`, and their parts are named `package/part`.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tocsin.parts.aggregation import Aggregation
from tocsin.parts.detector import Detector
from tocsin.parts.part import Part
from tocsin.parts.sink import Sink
from tocsin.parts.source import Source
from tocsin.parts.transform import Transform

FOLDERS: dict[str, type[Part]] = {
    "read": Source,
    "clean": Transform,
    "enrich": Transform,
    "alert": Transform,
    "aggregations": Aggregation,
    "detectors": Detector,
    "write": Sink,
}


class UnknownPart(LookupError):
    """No part of that name; the text suggests one."""


@dataclass(frozen=True)
class Location:
    """Where a part is: its name in jobs, folder (verb), module and file."""

    name: str
    folder: str
    module: str
    file: Path

    @property
    def type_name(self) -> str:
        """The class name, which is the `type` in a job for sources, transforms and sinks."""
        prefix, _, name = self.name.rpartition("/")
        return (f"{prefix}/" if prefix else "") + "".join(
            word.capitalize() for word in name.split("_")
        )


@cache
def locations() -> dict[str, Location]:
    """All parts by `folder/name`, built-in and third-party, without importing any."""
    found: dict[str, Location] = {}
    # Its path is complete once it is imported.
    importlib.import_module("tocsin.transforms")
    packages = [
        ("", "tocsin.transforms"),
        *sorted((e.name, e.value) for e in entry_points(group="tocsin.parts")),
    ]
    for prefix, package in packages:
        spec = importlib.util.find_spec(package)
        for root in list(spec.submodule_search_locations or []) if spec else []:
            for folder in FOLDERS:
                for file in sorted((Path(root) / folder).glob("[a-z]*.py")):
                    name = f"{prefix}/{file.stem}" if prefix else file.stem
                    found[f"{folder}/{name}"] = Location(
                        name, folder, f"{package}.{folder}.{file.stem}", file
                    )
    return found


def load(location: Location) -> type[Any]:
    """The class of a part. Raises UnknownPart where the file does not hold the class that its name promises."""
    module = importlib.import_module(location.module)
    wanted = location.type_name.rpartition("/")[2]
    part = getattr(module, wanted, None)
    if not (isinstance(part, type) and issubclass(part, FOLDERS[location.folder])):
        raise UnknownPart(
            f"{location.file} must define a class {wanted}({FOLDERS[location.folder].__name__})"
        )
    return part


def find(folder: str, name: str) -> type[Any]:
    """The class of the part `name` in `folder`. Raises UnknownPart with a suggestion."""
    known = locations()
    location = known.get(f"{folder}/{name}")
    if location is None:
        names = names_of(folder)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f", did you mean '{near[0]}'?" if near else ""
        raise UnknownPart(
            f"no {FOLDERS[folder].__name__.lower()} '{name}'{hint} (known: {', '.join(names)})"
        )
    return load(location)


def names_of(folder: str) -> list[str]:
    """Names of all parts in a folder."""
    return sorted(entry.name for entry in locations().values() if entry.folder == folder)


STEP_FOLDERS = ("read", "clean", "enrich", "alert", "write")


def step_types() -> dict[str, Location]:
    """Sources, transforms and sinks by the `type` that a job gives them."""
    return {
        entry.type_name: entry for entry in locations().values() if entry.folder in STEP_FOLDERS
    }
