"""The operator's project: the nearest folder above the working folder with a `tocsin.toml`.

    [project]
    parts = "parts"
    variables = ["CITY"]                         # that jobs may use, as ${CITY}
    [secrets]
    "env:KAFKA_PASSWORD" = ["*.city.example"]    # the hosts that may receive it

The working folder decides, never the folder of a job file: a job from elsewhere brings no code,
and allows itself nothing.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tocsin.foundation.failure import Mistake

PROJECT_FILE = "tocsin.toml"
CODE_MANIFEST = "tocsin-code.json"
"""The file at the top of a packed job's code. Workers take its parts, not those of their folder."""
_CHECKOUT = Path(__file__).resolve().parents[2]
_DEFAULT = "parts"
_TABLES = {"project", "secrets"}
_KEYS = {"parts", "variables"}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z_0-9]*|file:/\S+")


@dataclass(frozen=True)
class Project:
    """A project.

    Attributes:
        file: its `tocsin.toml`.
        parts: the folder of its parts, which may not exist yet.
        variables: environment variables that jobs may use.
        secrets: patterns of the hosts that may receive a secret, by its reference.
    """

    file: Path
    parts: Path
    variables: tuple[str, ...] = ()
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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
            return _read(file)
    return None


def parts_folder() -> Path:
    """The folder for new parts: the project's, the checkout's `transforms`, or `parts` here."""
    project = find_project()
    if project is not None and project.file.parent != _CHECKOUT:
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


def _read(file: Path) -> Project:
    """Raises Mistake for what is not TOML, not known or not well formed."""
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise Mistake(f"{file}: not TOML: {error}") from None
    for name in _TABLES:
        if not isinstance(found.get(name, {}), dict):
            raise Mistake(f"{file}: `{name}` must be a table: [{name}]")
    project = found.get("project", {})
    unknown = [*(set(found) - _TABLES), *(f"project.{key}" for key in set(project) - _KEYS)]
    if unknown:
        known = ", ".join(sorted(f"project.{key}" for key in _KEYS))
        raise Mistake(f"{file}: unknown setting '{min(unknown)}' (known: {known}, secrets)")
    variables = _variables_of(file, project.get("variables", []))
    return Project(
        file,
        _parts_of(file, project.get("parts", _DEFAULT)),
        variables,
        _secrets_of(file, found.get("secrets", {})),
    )


def _parts_of(file: Path, name: Any) -> Path:
    if not isinstance(name, str) or not name:
        raise Mistake(f"{file}: project.parts must be a folder, such as {_quoted(_DEFAULT)}")
    folder = (file.parent / name).resolve()
    if file.parent.resolve().is_relative_to(folder):
        # A job's code archive holds the whole folder.
        raise Mistake(f"{file}: project.parts must be a folder of its own inside the project")
    return folder


def _variables_of(file: Path, names: Any) -> tuple[str, ...]:
    is_list = isinstance(names, list) and all(isinstance(one, str) for one in names)
    if not is_list or not all(_VARIABLE.fullmatch(one) for one in names):
        raise Mistake(f'{file}: project.variables must be names, such as ["CITY", "LAKE"]')
    return tuple(names)


def _secrets_of(file: Path, secrets: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    for reference, hosts in secrets.items():
        why = wrong_secret(reference, hosts)
        if why:
            raise Mistake(
                f'{file}: {why}; write "env:NAME" = ["kafka.city.example"] '
                'or "file:/path" = ["*.city.example"] under [secrets]'
            )
    return {reference: tuple(hosts) for reference, hosts in secrets.items()}


def wrong_secret(reference: str, hosts: Any) -> str:
    """Why the entry of a secret is wrong, or an empty text."""
    if not _REFERENCE.fullmatch(reference):
        return f"'{reference}' is no reference to a secret"
    is_list = isinstance(hosts, list) and bool(hosts)
    if not is_list or not all(isinstance(one, str) and one.strip() for one in hosts):
        return f"the secret '{reference}' names no hosts that may receive it"
    return ""


def _refuse_strangers(file: Path) -> None:
    """Raises Mistake for a file that another user could have put above the working folder."""
    if file.stat().st_uid not in (os.getuid(), 0):
        raise Mistake(
            f"{file} belongs to another user, so its parts are not imported; "
            "change its owner, or work in a folder that is not below it"
        )
