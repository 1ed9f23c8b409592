"""Avro schemas that use types which other schemas define, as one schema each.

Source: Apache Avro specification, names and namespaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_NAMED = {"record", "error", "enum", "fixed"}


def inlined(text: str, others: Mapping[str, str]) -> str:
    """The schema with each type of another schema defined where it is first used.

    Args:
        text: a schema as JSON. A text that is no JSON is returned unchanged.
        others: schemas by the full name of the type that they define.
    """
    if not others:
        return text
    try:
        return json.dumps(_Inliner(others).schema(json.loads(text), ""))
    except ValueError:
        return text


class _Inliner:
    def __init__(self, others: Mapping[str, str]) -> None:
        self._others = others
        self._defined: set[str] = set()

    def schema(self, kind: Any, space: str) -> Any:
        """A schema within a namespace."""
        if isinstance(kind, list):
            return [self.schema(branch, space) for branch in kind]
        if isinstance(kind, str):
            return self._used(kind, space)
        if not isinstance(kind, dict):
            return kind
        if kind.get("type") in _NAMED:
            return self._definition(kind, space)
        inner = {"array": "items", "map": "values"}.get(str(kind.get("type")), "type")
        return {**kind, inner: self.schema(kind.get(inner), space)}

    def _definition(self, kind: dict[str, Any], space: str) -> dict[str, Any]:
        full = _full_name(str(kind.get("name")), kind.get("namespace", space))
        self._defined.add(full)
        inside = full.rpartition(".")[0]
        if "fields" not in kind:
            return kind
        fields = [{**one, "type": self.schema(one["type"], inside)} for one in kind["fields"]]
        return {**kind, "fields": fields}

    def _used(self, name: str, space: str) -> Any:
        full = _full_name(name, space)
        found = full if full in self._others else name
        if found not in self._others:
            return name
        if found in self._defined:
            return found
        definition = json.loads(self._others[found])
        if isinstance(definition, dict) and "." not in str(definition.get("name")):
            # Inside of another namespace, a name without one would take that.
            definition = {"namespace": "", **definition}
        return self.schema(definition, "")


def _full_name(name: str, space: str | None) -> str:
    return name if "." in name or not space else f"{space}.{name}"
