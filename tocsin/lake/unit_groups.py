"""Files that belong together, because they hold the same units."""

from __future__ import annotations

from collections.abc import Sequence


def connected(names: Sequence[Sequence[str]]) -> list[int]:
    """A number for each item; items that share a name, also through others, have the same.

    names: of each item, at least one.
    """
    parent: dict[str, str] = {}

    def top(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for some in names:
        for other in some[1:]:
            parent[top(other)] = top(some[0])
    numbers: dict[str, int] = {}
    return [numbers.setdefault(top(some[0]), len(numbers)) for some in names]
