"""Group and licence of each jar, from the POM files that Maven keeps next to its jars."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from infra.cluster.checksums import digest_of

_POM = "{http://maven.apache.org/POM/4.0.0}"


def described(repository: Path, wanted: set[str]) -> dict[str, dict[str, str]]:
    """Group, name, version and licence by the SHA-256 of a jar, for the jars that are wanted.

    A licence is as the POM or the nearest parent names it; it is absent if none does.
    """
    found = {}
    for pom in repository.rglob("*.pom"):
        jar = pom.with_suffix(".jar")
        if not jar.exists() or (digest := digest_of(jar)) not in wanted:
            continue
        group = ".".join(pom.relative_to(repository).parts[:-3])
        entry = {"group": group, "name": pom.parts[-3], "version": pom.parts[-2]}
        if names := _licences(repository, pom):
            entry["licence"] = " OR ".join(names)
        found[digest] = entry
    return found


def _licences(repository: Path, pom: Path) -> list[str]:
    for file in _with_parents(repository, pom):
        names = [
            (one.findtext(f"{_POM}name") or one.findtext("name") or "").strip()
            for one in _elements(file, "license")
        ]
        if any(names):
            return [" ".join(name.split()) for name in names if name]
    return []


def _with_parents(repository: Path, pom: Path) -> Iterator[Path]:
    while pom.exists():
        yield pom
        parents = _elements(pom, "parent")
        if not parents:
            return
        group, name, version = (
            (parents[0].findtext(f"{_POM}{tag}") or parents[0].findtext(tag) or "").strip()
            for tag in ("groupId", "artifactId", "version")
        )
        pom = repository / group.replace(".", "/") / name / version / f"{name}-{version}.pom"


def _elements(pom: Path, tag: str) -> list[ET.Element]:
    root = ET.parse(pom).getroot()
    return [*root.iter(f"{_POM}{tag}"), *root.iter(tag)]
