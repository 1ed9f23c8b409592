"""Whether each dependency has a licence that infra/audit/licences.toml allows."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, get_spdx_licensing

from infra.audit.component import Component

RULES = Path(__file__).with_name("licences.toml")


@dataclass(frozen=True)
class Rules:
    """What licences.toml says.

    tools: licences only for what developers run. names: SPDX expressions by what packages write.
    packages: SPDX expressions of packages whose metadata name none.
    """

    permissive: frozenset[str]
    weak: dict[str, str]
    tools: dict[str, str]
    names: dict[str, str]
    packages: dict[str, dict[str, str]]

    @classmethod
    def read(cls, file: Path = RULES) -> Rules:
        """The rules of a file."""
        known = tomllib.loads(file.read_text("utf-8"))
        return cls(**{**known, "permissive": frozenset(known["permissive"])})

    def expression(self, component: Component) -> str:
        """The licence of a component in SPDX, or as its makers name it; empty if they do not."""
        if component.kind == "pypi" and component.name in self.packages:
            return self.packages[component.name]["licence"]
        return self.names.get(component.licence, component.licence)


def problems(components: Iterable[Component], rules: Rules) -> list[str]:
    """A sentence for each component whose licence is unknown or not allowed, and each idle rule."""
    known = list(components)
    found = [sentence for one in known if (sentence := _problem(one, rules))]
    names = {one.name for one in known if one.kind == "pypi"}
    idle = sorted(rules.packages.keys() - names)
    return found + [f"licences.toml has {name}, which is no dependency" for name in idle]


def that_need(licence: str, components: Iterable[Component], rules: Rules) -> list[Component]:
    """The components that no permissive licence covers, and that this one does."""
    shipped = licence in rules.weak
    return [
        one
        for one in components
        if licence in (expression := rules.expression(one))
        and (shipped or not one.shipped)
        and not _allowed(_spdx().parse(expression), {*rules.permissive})
    ]


def _problem(component: Component, rules: Rules) -> str | None:
    label, expression = (
        f"{component.name} {component.version}".rstrip(),
        rules.expression(component),
    )
    if not expression:
        return (
            f"{label} names no licence: read the licence in its files, and write it into "
            "licences.toml with its source"
        )
    try:
        parsed = _spdx().parse(expression, validate=True)
    except ExpressionError:
        return (
            f"{label} has the licence '{expression}', which is no SPDX expression: "
            "write its meaning into licences.toml"
        )
    allowed = {*rules.permissive, *rules.weak, *(() if component.shipped else rules.tools)}
    if not _allowed(parsed, allowed):
        return f"{label} has the licence {expression}, which licences.toml does not allow"
    return None


def _allowed(parsed: Any, allowed: set[str]) -> bool:
    """Whether one side of each OR and both sides of each AND are allowed."""
    if parsed.isliteral:
        return str(parsed) in allowed
    sides = [_allowed(side, allowed) for side in parsed.args]
    return any(sides) if parsed.operator.strip() == "OR" else all(sides)


@cache
def _spdx() -> Any:
    return get_spdx_licensing()
