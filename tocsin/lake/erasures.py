"""How often rows were erased from a dataset. What was read before may not be written after."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tocsin.table.table import open_table

ERASURES = "erasures"
"""The mark that each commit of an erasure raises."""


def erasures(root: Path, datasets: Iterable[str]) -> dict[str, int]:
    """The number of commits that erased rows, by dataset; 0 without a table.

    Raises Failure for a table that cannot be read.
    """
    found = {}
    for name in datasets:
        table = open_table(str(root / name))
        found[name] = 0 if table is None else table.mark(ERASURES) or 0
    return found
