"""A YAML file as plain values, with the position of every key and value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tocsin.compiler.diagnostics import Problem
from tocsin.compiler.yaml_limits import MOST_NODES, excess, too_many, unusable
from tocsin.foundation.sandbox import Variables

YamlPath = tuple[str | int, ...]
_MOST_VARIABLES = 100
# Without a brace in the default: the search for the end of very many `${A:-` takes no longer.
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z_0-9]*)(?::-([^{}]*))?\}")


@dataclass
class Document:
    """Plain values, and the positions of those in the file.

    values, keys: (line, column), from 1, of the value and of the key at each path.
    """

    file: str
    data: Any = None
    values: dict[YamlPath, tuple[int, int]] = field(default_factory=dict)
    keys: dict[YamlPath, tuple[int, int]] = field(default_factory=dict)
    quoted: set[YamlPath] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def problem(
        self, message: str, path: YamlPath, *, at_key: bool = False, at: int | None = None
    ) -> None:
        """Add a problem at a path, or at the nearest place above it that the file has."""
        near = path
        while near not in self.values and near:
            near = near[:-1]
        line, column = self.values.get(near, (1, 1))
        if at_key and path in self.keys:
            line, column = self.keys[path]
        elif at is not None and near == path:
            column += at + (near in self.quoted)
        self.problems.append(Problem(self.file, line, column, message))


def read_document(
    file: str, text: str, variables: Mapping[str, str] | None = None, *, trusted: bool = False
) -> Document:
    """Parse YAML. Problems are added to the document.

    `${NAME}` and `${NAME:-default}` in scalars are replaced after parsing, so they cannot change
    the structure. variables: by default those of the environment that the operator allows, or all
    of it for a trusted job.
    """
    document = Document(file)
    too_large = excess(file, text)
    if too_large is not None:
        document.problems.append(too_large)
        return document
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        document.problems.append(
            Problem(file, line, column, f"not YAML: {error.problem or error.context}")
        )
        return document
    except yaml.YAMLError as error:
        document.problems.append(Problem(file, 1, 1, f"not YAML: {str(error).splitlines()[0]}"))
        return document
    except (ValueError, OverflowError):
        # PyYAML's scanner does not expect them.
        said = "not YAML: an escape such as \\U names a character beyond Unicode"
        document.problems.append(Problem(file, 1, 1, said))
        return document
    if node is not None:
        limited = variables is None and not trusted
        known = Variables(os.environ if variables is None else variables, limited=limited)
        try:
            document.data = _Builder(document, known).build(node, ())
        except _Endless as error:
            document.problems = [error.problem]
    return document


class _Endless(Exception):
    """An alias that refers to what contains it, or to too much."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class _Builder:
    def __init__(self, document: Document, variables: Variables) -> None:
        self.document = document
        self.variables = variables
        self.loader = yaml.SafeLoader("")
        self.nodes = 0
        # The collections around the current node.
        self.open: set[int] = set()

    def build(self, node: yaml.Node, path: YamlPath) -> Any:
        self.nodes += 1
        position = (node.start_mark.line + 1, node.start_mark.column + 1)
        self.document.values.setdefault(path, position)
        if self.nodes > MOST_NODES:
            raise _Endless(Problem(self.document.file, *position, too_many()))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self.open:
            said = "an alias may not refer to what contains it"
            raise _Endless(Problem(self.document.file, *position, said))
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return [self.build(item, (*path, at)) for at, item in enumerate(node.value)]
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: YamlPath) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node, path) if isinstance(key_node, yaml.ScalarNode) else None
            position = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key is None or isinstance(key, bool):
                self.document.problems.append(
                    Problem(
                        self.document.file, *position, "a key must be a name (put it in quotes)"
                    )
                )
                continue
            here = (*path, key)
            if key in found:
                self.document.problems.append(
                    Problem(self.document.file, *position, f"'{key}' is here twice")
                )
                continue
            self.document.keys[here] = position
            found[key] = self.build(value_node, here)
        return found

    def _scalar(self, node: yaml.ScalarNode, path: YamlPath) -> Any:
        if node.style in ("'", '"'):
            self.document.quoted.add(path)
        text, tag = node.value, node.tag
        if text.count("${") > _MOST_VARIABLES:
            self.document.problem(f"a value has up to {_MOST_VARIABLES} variables", path)
            return None
        if "${" in text:
            text = _VARIABLE.sub(lambda match: self._variable(match, path), text)
            if node.style is None:
                tag = self._tag_of(text)
        # As in YAML 1.2, only true and false are booleans: `on`, `no` and `n` are names. Times are
        # text.
        is_word = tag == "tag:yaml.org,2002:bool" and text.lower() not in ("true", "false")
        if is_word or tag == "tag:yaml.org,2002:timestamp":
            return text
        try:
            value = self.loader.construct_object(
                yaml.ScalarNode(tag, text, node.start_mark, node.end_mark), deep=True
            )
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            self.document.problem(f"not a value: {error}".splitlines()[0][:500], path)
            return None
        wrong = unusable(value)
        if wrong is not None:
            self.document.problem(wrong, path)
            return None
        return value

    def _tag_of(self, text: str) -> str:
        resolver: Any = self.loader
        return str(resolver.resolve(yaml.ScalarNode, text, (True, False)))

    def _variable(self, match: re.Match[str], path: YamlPath) -> str:
        try:
            return self.variables.value(match[1], match[2])
        except ValueError as error:
            self.document.problem(str(error), path)
            return ""
