"""The erasures of a dataset. Rows that were read before one may not be written after it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tocsin.table.commit import Change, commit
from tocsin.table.table import Table, open_table

ERASURES = "erasures"
"""The mark that each erasure raises before it looks for rows."""


def erasures(root: Path, datasets: Iterable[str]) -> dict[str, int]:
    """The number of erasures that have begun, by dataset; 0 without a table.

    Raises Failure for a table that cannot be read.
    """
    found = {}
    for name in datasets:
        table = open_table(str(root / name))
        found[name] = 0 if table is None else table.mark(ERASURES) or 0
    return found


def begin_erasure(place: str) -> None:
    """Note in a table that an erasure begins, even if the table has no such row.

    A backfill may have read one from a topic. It is refused from now on; what it has merged before,
    the erasure finds.

    Raises Failure where there is no table.
    """

    def change_of(table: Table) -> Change:
        return Change("ERASE", marks={ERASURES: (table.mark(ERASURES) or 0) + 1})

    commit(place, change_of)
