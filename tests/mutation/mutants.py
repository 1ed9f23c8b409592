"""All mutants of the code in question, and a sample that a seed draws."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code

from tests.mutation.excluded import Position, Span, excluded_spans
from tests.mutation.operators import operators

# Area: its folder.
AREAS = {
    "kernels": "tocsin/kernels",
    "steps": "tocsin/steps",
    "kafka": "tocsin/kafka",
    "lake": "tocsin/lake",
    "sinks": "transforms/write",
}
# The smallest part of a sample, so that a small area says something, too.
LEAST = 10
OPERATORS = operators()
# Most of a tree, which no operator changes.
_WORDS = {"name", "string", "newline", "endmarker", "fstring_string"}
_PUNCTUATION = set("()[]{},:.=")


@dataclass(frozen=True)
class Mutant:
    """One change to one file. text: the first line of its place. before, after: what changes."""

    area: str
    path: str
    function: str
    line: int
    operator: str
    occurrence: int
    text: str
    before: str
    after: str
    source: str = field(repr=False, compare=False, default="")


@dataclass(frozen=True)
class Site:
    """A place in a file with the changes that operators can make there."""

    area: str
    path: str
    function: str
    span: Span
    text: str
    changes: tuple[tuple[str, int], ...]


class _Positions(Visitor):
    """Walks as cosmic-ray does, and notes what each operator can change."""

    def __init__(self) -> None:
        self.found: dict[Span, list[tuple[str, int]]] = {}
        self._counts = Counter[str]()

    def visit(self, node: Any) -> Any:
        """Note the changes of one node."""
        if node.type in _WORDS or getattr(node, "value", None) in _PUNCTUATION:
            return node
        for name, operator in OPERATORS.items():
            for span in operator.mutation_positions(node):
                self.found.setdefault(span, []).append((name, self._counts[name]))
                self._counts[name] += 1
        return node


def sites(root: Path) -> Iterator[Site]:
    """Every place of every area that a mutant can change."""
    for area, folder in AREAS.items():
        for path in sorted((root / folder).rglob("*.py")):
            yield from sites_of(path.read_text("utf-8"), area, str(path.relative_to(root)))


def sites_of(source: str, area: str = "", path: str = "") -> list[Site]:
    """The places of one file."""
    tree, lines = ast.parse(source), source.splitlines()
    visitor = _Positions()
    visitor.walk(get_ast(source))
    left_out = excluded_spans(source)
    places = [
        place
        for place in sorted(visitor.found)
        if not any(_within(place, other) for other in left_out)
    ]
    return [
        Site(
            area,
            path,
            _function(tree, place[0][0]),
            place,
            lines[place[0][0] - 1].strip(),
            tuple(visitor.found[place]),
        )
        for place in places
    ]


def _within(one: Span, other: Span) -> bool:
    """A statement is not within a part of it, unless that part is all of it."""
    start: Position
    (start, end), (first, last) = one, other
    return first <= start and end <= last


def _function(tree: ast.Module, line: int) -> str:
    """The names of the class and function around a line, joined by dots."""
    names = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return ".".join(names) or "module"


def sample(root: Path, seed: int, count: int) -> list[Mutant]:
    """Some mutants, at least `LEAST` of each area and else in proportion to its places.

    A place is drawn by a hash of what it says, so a change elsewhere does not change the draw.
    """
    by_area: dict[str, list[tuple[bytes, Site]]] = {area: [] for area in AREAS}
    seen = Counter[tuple[str, str, str]]()
    for site in sites(root):
        name = (site.path, site.function, site.text)
        by_area[site.area].append((_hash(seed, *name, seen[name]), site))
        seen[name] += 1
    found = []
    for area, share in shares({area: len(drawn) for area, drawn in by_area.items()}, count).items():
        drawn = (_mutant(root, seed, site) for _, site in sorted(by_area[area], key=lambda x: x[0]))
        valid = (mutant for mutant in drawn if mutant is not None)
        found += [mutant for mutant, _ in zip(valid, range(share), strict=False)]
    return found


def shares(sizes: dict[str, int], count: int) -> dict[str, int]:
    """How many of `count` each area gets: `LEAST` each, and the rest by size."""
    rest, total = max(count - LEAST * len(sizes), 0), sum(sizes.values())
    given = {area: LEAST + rest * size // total for area, size in sizes.items()}
    largest = max(sizes, key=lambda area: sizes[area])
    given[largest] += max(count - sum(given.values()), 0)
    return given


def _mutant(root: Path, seed: int, site: Site) -> Mutant | None:
    """One of the changes that a place allows; None where it changes nothing or is no Python."""
    place = (seed, site.path, site.function, site.text)
    operator, occurrence = min(site.changes, key=lambda change: _hash(*place, *change))
    source = (root / site.path).read_text("utf-8")
    mutated = mutate_code(source, OPERATORS[operator], occurrence)
    try:
        if mutated is None or ast.dump(ast.parse(mutated)) == ast.dump(ast.parse(source)):
            return None
    except SyntaxError:
        return None
    first, last = (_offset(source, position) for position in site.span)
    before, after = source[first:last], mutated[first : last + len(mutated) - len(source)]
    return Mutant(
        site.area,
        site.path,
        site.function,
        site.span[0][0],
        operator,
        occurrence,
        site.text,
        *(" ".join(text.split()) for text in (before, after)),
        source=mutated,
    )


def _offset(source: str, position: Position) -> int:
    line, column = position
    return sum(len(text) for text in source.splitlines(keepends=True)[: line - 1]) + column


def _hash(*words: object) -> bytes:
    return hashlib.sha256(repr(words).encode()).digest()
