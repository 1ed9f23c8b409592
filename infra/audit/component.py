"""A package or a jar that Tocsin is built of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Component:
    """One version of a package or of a jar.

    kind: `pypi` or `maven`. group: of a jar. licence: as its makers name it; empty if they do not.
    used: by what, such as `jobs` or `kafka`. digest: SHA-256 of a jar; the locks have those of
    packages, one for each platform.
    """

    kind: str
    name: str
    version: str
    licence: str = ""
    group: str = ""
    used: tuple[str, ...] = ()
    digest: str = ""

    @property
    def shipped(self) -> bool:
        """Whether it runs where jobs run, and not only on a developer's machine."""
        return bool({*self.used} & {"jobs", "kafka", "flink", "runner"})
