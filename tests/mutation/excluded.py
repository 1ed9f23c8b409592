"""Places that no mutant changes, because no test of results can see them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

# Position of a character: line from 1, column from 0.
Position = tuple[int, int]
Span = tuple[Position, Position]

# Calls to the platform, and to logs that people read.
_PLATFORM = {"os", "ctypes", "libc", "signal", "resource", "time", "logging", "log", "warnings"}
# Calls whose arguments are sentences for people.
_MESSAGES = {"Fault", "Failure", "suggestion"}
# Places where the tests of faults stop a process.
_FAILPOINTS = {"failpoint"}
# Columns that are read by their name: their order changes nothing.
_BY_NAME = {"_record"}
_UNSEEN = _MESSAGES | _FAILPOINTS | _BY_NAME
# Arguments that state an assumption, or that choose between ways to the same result.
_HINTS = {
    "strict", "copy", "zero_copy_only", "compression", "row_group_size", "help", "description",
    "examples", "maxsize",
}  # fmt: skip


def excluded_spans(source: str) -> list[Span]:
    """Spans of `source` that stay as they are."""
    lines = source.splitlines()
    return [
        ((node.lineno, _column(lines, node.lineno, node.col_offset)),
         (node.end_lineno, _column(lines, node.end_lineno, node.end_col_offset)))
        for node in _excluded(ast.parse(source))
    ]  # fmt: skip


def _column(lines: list[str], line: int, octets: int) -> int:
    """`ast` counts the bytes of UTF-8; operators count characters."""
    return len(lines[line - 1].encode()[:octets].decode())


def _excluded(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.Raise() | ast.Assert() | ast.Import() | ast.ImportFrom():
                yield node
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield node
            case ast.Assign(targets=[ast.Name(id="__all__" | "examples")]):
                yield node
            case ast.AnnAssign():
                yield node.annotation
            case ast.arg(annotation=ast.expr() as annotation):
                yield annotation
            case ast.keyword(arg=str(name)) if name in _HINTS:
                yield node
            case ast.Call() if _root(node.func) in _PLATFORM or _name(node.func) in _UNSEEN:
                yield node
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from node.decorator_list
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns


def _root(function: ast.expr) -> str:
    """`os` of `os.path.join`."""
    while isinstance(function, ast.Attribute):
        function = function.value
    return function.id if isinstance(function, ast.Name) else ""


def _name(function: ast.expr) -> str:
    """`join` of `os.path.join`."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
