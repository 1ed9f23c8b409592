"""Rows that leave a table: files are written again without them, in one transaction a round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from tocsin.foundation.failure import Failure
from tocsin.lake.datasets import on_newest
from tocsin.lake.footers import first_start, footer_in, table_in
from tocsin.table.commit import Change, NewFile, commit
from tocsin.table.data_file import data_path, remove_unseen, write_data_file
from tocsin.table.table import LiveFile, Table

# Rounds of which each is lost to another writer that changes the same files.
_ROUNDS = 100

Gone = dict[str, Any]
"""By path in the table: for each row of a file whether it leaves, at least one of them true."""


@dataclass
class Rewritten:
    """The outcome. version: of the last commit, or None. files: paths that were removed."""

    version: int | None = None
    rows: int = 0
    files: list[str] = field(default_factory=list)


def without_rows(
    place: str,
    operation: str,
    gone_of: Callable[[Table], Gone],
    *,
    whole_version: bool = False,
    keeps_footers: bool = False,
) -> Rewritten:
    """Remove rows until none is to be removed from the newest version.

    A file that another writer removes meanwhile is left to it, and the next round sees its rows in
    the file that took its place.

    Args:
        place: folder of the table.
        operation: a word for the history.
        gone_of: the rows to remove from a version. Names of files are never used again, so it may
            remember files.
        whole_version: whether the choice rests on all files of the version, so that a commit needs
            all of them to be live.
        keeps_footers: whether a file without any row left becomes an empty one, because its footer
            says which messages the table was made from.

    Raises:
        Failure: if a file cannot be read, or others change the same files all the time.
    """
    found = Rewritten()

    def one_round(table: Table) -> bool:
        gone = gone_of(table)
        if gone:
            _Round(place, operation, gone, keeps_footers, table if whole_version else None).into(
                found
            )
        return not gone

    for _ in range(_ROUNDS):
        if on_newest(Path(place), one_round):
            return found
    raise Failure(f"other writers of {place} changed the same files {_ROUNDS} times")


class _Round:
    def __init__(
        self, place: str, operation: str, gone: Gone, keeps_footers: bool, needed: Table | None
    ) -> None:
        self.place, self.operation, self.gone = place, operation, gone
        self.keeps_footers = keeps_footers
        self.needed = set() if needed is None else {file.path for file in needed.files()}
        self.rests: dict[str, NewFile] = {}
        self.used: dict[str, NewFile | None] = {}

    def into(self, found: Rewritten) -> None:
        try:
            for path, rows in self.gone.items():
                rest = _without(self.place, path, rows, self.keeps_footers)
                if rest is not None:
                    self.rests[path] = rest
            version = commit(self.place, self._change)
        except Failure:
            remove_unseen(self.place, list(self.rests.values()))
            raise
        remove_unseen(
            self.place, [one for path, one in self.rests.items() if path not in self.used]
        )
        if version is not None:
            found.version = version
            found.files += self.used
            found.rows += sum(int(pc.sum(self.gone[path]).as_py()) for path in self.used)

    def _change(self, table: Table) -> Change | None:
        live: dict[str, LiveFile] = {file.path: file for file in table.files()}
        self.used = {path: self.rests.get(path) for path in self.gone if path in live}
        if not self.used or not self.needed <= live.keys():
            self.used = {}
            return None
        adds = [one for one in self.used.values() if one is not None]
        return Change(self.operation, adds, [live[path] for path in self.used])


def _without(place: str, path: str, gone: Any, keeps_footer: bool) -> NewFile | None:
    """Write the rest of a file with its footer, or None where no row is left."""
    file = Path(place) / path
    left = table_in(file).filter(pc.invert(gone))
    if not left.num_rows and not keeps_footer:
        return None
    start = first_start(footer_in(left.schema, file))
    return write_data_file(place, data_path(start, "rest"), left)
