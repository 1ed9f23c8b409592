"""The prose of the repository: sentences that people read, each with its file and line.

Markdown without code blocks; comments, docstrings and texts of Python files; names of tests;
comments and texts of YAML, Docker, Make and Java files.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TEXTS = {".yaml", ".yml", ".Dockerfile", ".java", ".sh", ".toml", ".sql"}


class Prose(NamedTuple):
    """A piece of text that people read."""

    file: str
    line: int
    text: str


def has_prose(path: Path) -> bool:
    """Whether a file is of a kind that people read."""
    return path.suffix in {".md", ".py", *TEXTS} or path.name == "Makefile"


def prose_of(path: Path) -> Iterator[Prose]:
    """The prose of a file, by its kind."""
    name, text = str(path.relative_to(ROOT)), path.read_text("utf-8")
    if path.suffix == ".md":
        pieces = markdown(text)
    elif path.suffix == ".py":
        pieces = python(text)
    else:
        pieces = iter(enumerate(text.splitlines(), 1))
    for line, piece in pieces:
        yield Prose(name, line, piece)


def prose_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a page outside of code blocks, by number."""
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, line


def markdown(text: str) -> Iterator[tuple[int, str]]:
    """Lines outside of code blocks, without code spans and link targets."""
    for number, line in prose_lines(text):
        yield number, re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "`code`", line))


def python(text: str) -> Iterator[tuple[int, str]]:
    """Comments, names of tests, and strings of three words or more."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")
        elif isinstance(node, ast.Constant) and len(str(node.value).split()) > 2:
            for offset, line in enumerate(str(node.value).splitlines()):
                yield node.lineno + offset, line
