"""Parts by name: a part's name is its file's, and its class is imported when a job uses it.

Built-in parts live in the folders of `transforms`, a project's parts in folders of the same names
under `parts` (see tocsin/foundation/project.py). A third party ships a package with these folders
and one entry point in the group `tocsin.parts`; its parts are named `package/part`.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tocsin.foundation.failure import Mistake, UnknownPart
from tocsin.parts.aggregation import Aggregation
from tocsin.parts.detector import Detector
from tocsin.parts.part import Part
from tocsin.parts.sink import Sink
from tocsin.parts.source import Source
from tocsin.parts.stateful_step import StatefulStep
from tocsin.parts.transform import Transform

FOLDERS: dict[str, type[Part]] = {
    "read": Source,
    "clean": Transform,
    "enrich": Transform,
    "alert": Transform,
    "aggregations": Aggregation,
    "detectors": Detector,
    "steps": StatefulStep,
    "write": Sink,
}
STEP_FOLDERS = ("read", "clean", "enrich", "alert", "steps", "write")
GROUP = "tocsin.parts"


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

    @property
    def name_in_jobs(self) -> str:
        """What a job writes: the `type` of a step, the name of an aggregation or a detector."""
        return self.type_name if self.folder in STEP_FOLDERS else self.name


@cache
def locations() -> dict[str, Location]:
    """All parts by `folder/name`: built-in, of the project and of packages. Imports none of them.

    Raises Mistake where two files define one name, or where the project's `tocsin.toml` is wrong.
    """
    found: dict[str, Location] = {}
    for prefix, package in _packages():
        for location in _in_package(prefix, package):
            key = f"{location.folder}/{location.name}"
            other = next((one for one in found.values() if _clash(one, location)), None)
            if other is not None:
                raise Mistake(
                    f"two files define the part '{location.name}': {other.file} and "
                    f"{location.file}; rename one"
                )
            found[key] = location
    return found


def _packages() -> list[tuple[str, str]]:
    """Prefix and package of all parts, in the order in which `tocsin list` shows them."""
    third_party = sorted((entry.name, entry.value) for entry in entry_points(group=GROUP))
    return [("", "tocsin.transforms"), ("", "tocsin.project"), *third_party]


def _in_package(prefix: str, package: str) -> Iterator[Location]:
    if package.startswith("tocsin."):
        # Its path is complete once it is imported.
        importlib.import_module(package)
    spec = importlib.util.find_spec(package)
    for root in list(spec.submodule_search_locations or []) if spec else []:
        for folder in FOLDERS:
            for file in sorted((Path(root) / folder).glob("[a-z]*.py")):
                name = f"{prefix}/{file.stem}" if prefix else file.stem
                yield Location(name, folder, f"{package}.{folder}.{file.stem}", file)


def _clash(one: Location, other: Location) -> bool:
    """Whether a job could mean both by one name: steps share one set of types."""
    if one.folder in STEP_FOLDERS and other.folder in STEP_FOLDERS:
        return one.type_name == other.type_name
    return one.folder == other.folder and one.name == other.name


def load(location: Location) -> type[Any]:
    """The class of a part.

    Raises UnknownPart where its file does not define the class that its name promises, and
    ImportError where the file needs a package that is not installed.
    """
    try:
        module = importlib.import_module(location.module)
    except ImportError:
        raise
    except Exception as error:
        raise UnknownPart(
            f"{location.file} cannot be imported: {type(error).__name__}: {error}"
        ) from error
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


def step_types() -> dict[str, Location]:
    """Sources, transforms, stateful steps and sinks by the `type` that a job gives them.

    The built-in stateful steps are not among them: see tocsin/steps/catalogue.py.
    """
    return {
        entry.type_name: entry for entry in locations().values() if entry.folder in STEP_FOLDERS
    }
