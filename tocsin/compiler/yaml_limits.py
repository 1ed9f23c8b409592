"""Bounds on a job file, so that a stranger's file cannot exhaust the machine in `check`.

Jobs of a few hundred lines have about a thousand values.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from tocsin.compiler.diagnostics import Problem

MOST_BYTES = 1 << 20
MOST_NODES = 50_000
MOST_NESTED = 50
_NO_TEXT = re.compile("[\0\ud800-\udfff]")

# The compiled scanner, where the library has it: the other takes seconds for the greatest file.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def excess(file: str, text: str) -> Problem | None:
    """Why a text is too large or too deep to be read, or None.

    Reads events one after another, without recursion. Leaves mistakes in the YAML to the reader.
    """
    if len(text) > MOST_BYTES:
        return too_large(file)
    nodes = depth = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            nodes += isinstance(event, yaml.NodeEvent)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if nodes > MOST_NODES or depth > MOST_NESTED:
                mark = event.start_mark
                place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
                return Problem(file, *place, _sentence(depth))
    except (yaml.YAMLError, ValueError, OverflowError):
        return None
    return None


def unusable(value: Any) -> str | None:
    """Why no step can use a value, or None.

    Paths and the names of Kafka and Beam cannot have U+0000 or half of a surrogate pair.
    """
    found = _NO_TEXT.search(value) if isinstance(value, str) else None
    if found is not None:
        return f"a text may not have the character U+{ord(found[0]):04X}"
    if isinstance(value, bytes):
        return "a value may not be binary; write text"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "a number beyond 64 bits"
    return None


def _sentence(depth: int) -> str:
    if depth > MOST_NESTED:
        return f"nested deeper than {MOST_NESTED}"
    return too_many()


def too_large(file: str) -> Problem:
    """The problem of a file that has too many bytes."""
    return Problem(file, 1, 1, f"a job file has up to {MOST_BYTES >> 20} MiB")


def too_many() -> str:
    """The sentence about a file with too many values."""
    return f"more than {MOST_NODES:,} values; an alias counts as what it refers to"
