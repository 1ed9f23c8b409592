"""The Python packages of the locks, with the licences that their metadata name."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from infra.audit.component import Component
from infra.cluster.settings import ROOT

# By what uses them. A package is named by the first that has it, and by its readers.
LOCKS = {
    "jobs": "requirements-workers.lock",
    "build": "requirements-build.lock",
    "development": "requirements.lock",
    "readers": "requirements-readers.lock",
}
_CLASSIFIER = "License :: OSI Approved :: "


def locked(file: Path) -> dict[str, str]:
    """Version by name of a lock."""
    pins = re.findall(r"^([\w.-]+)==([^ ;\n]+)", file.read_text("utf-8"), re.MULTILINE)
    return dict(pins)


def packages(root: Path = ROOT) -> list[Component]:
    """All packages of all locks, each version once."""
    used: dict[tuple[str, str], list[str]] = {}
    for use, lock in LOCKS.items():
        for pin in locked(root / lock).items():
            others = used.setdefault(pin, [])
            if use != "development" or not others:
                others.append(use)
    return sorted(
        Component("pypi", name, version, licence_of(name), used=tuple(uses))
        for (name, version), uses in used.items()
    )


def licence_of(name: str) -> str:
    """The licence by an installed package's metadata; empty if it names none.

    An expression comes first, then a short text, then classifiers.
    """
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return ""
    (expression,) = metadata.get_all("License-Expression") or [""]
    if expression:
        return str(expression)
    text = str((metadata.get_all("License") or [""])[0]).strip()
    if text and "\n" not in text and len(text) < 60:
        return text
    classifiers = [
        one.removeprefix(_CLASSIFIER)
        for one in metadata.get_all("Classifier") or []
        if one.startswith(_CLASSIFIER)
    ]
    return " OR ".join(classifiers)


def differences(root: Path = ROOT) -> list[str]:
    """A sentence for each package that is not installed as requirements.lock has it."""
    found = []
    for name, version in locked(root / "requirements.lock").items():
        try:
            installed = distribution(name).version
        except PackageNotFoundError:
            found.append(f"{name} {version} is in requirements.lock and is not installed")
            continue
        if installed != version:
            found.append(f"{name} {installed} is installed, and requirements.lock has {version}")
    return found
