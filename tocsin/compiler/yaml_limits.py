"""Bounds on a job file, so that a stranger's file cannot exhaust the machine in `check`.

Jobs of a few hundred lines have about a thousand values.
"""

from __future__ import annotations

import yaml

from tocsin.compiler.diagnostics import Problem

MOST_BYTES = 1 << 20
MOST_NODES = 50_000
MOST_NESTED = 50

# The compiled scanner, where the library has it: the other takes seconds for the greatest file.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def excess(file: str, text: str) -> Problem | None:
    """Why a text is too large or too deep to be read, or None.

    Reads events one after another, without recursion. Leaves mistakes in the YAML to the reader.
    """
    if len(text) > MOST_BYTES:
        return Problem(file, 1, 1, f"a job file has up to {MOST_BYTES >> 20} MiB")
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
    except (yaml.YAMLError, ValueError):
        return None
    return None


def _sentence(depth: int) -> str:
    if depth > MOST_NESTED:
        return f"nested deeper than {MOST_NESTED}"
    return too_many()


def too_many() -> str:
    """The sentence about a file with too many values."""
    return f"more than {MOST_NODES:,} values; an alias counts as what it refers to"
