"""A wider type for a column: its files are written again in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tocsin.foundation.failure import Failure
from tocsin.lake.datasets import on_newest
from tocsin.lake.footers import first_start, footer_in, schema_in, table_in
from tocsin.table.commit import Change, NewFile, commit
from tocsin.table.data_file import data_path, remove_unseen, write_data_file
from tocsin.table.table import LiveFile, Table
from tocsin.table.widening import is_wider, widened_rows


@dataclass(frozen=True)
class Widened:
    """The outcome. version: of the commit, or None where the column has the type already."""

    dataset: str
    version: int | None
    column: str
    type: str
    files: int


def widen(folder: Path, column: str, kind: pa.DataType) -> Widened:
    """Give a column of a dataset a wider type.

    Jobs may write meanwhile: their rows are stored in the wider type from then on. A reader keeps
    its version.

    Args:
        folder: of the dataset.
        column: its name.
        kind: int16, int32 or int64 for narrower integers, float64 for float32 and for integers of
            up to 32 bits.

    Raises:
        Failure: if there is no such column, its values do not all fit the type, or a file cannot be
            read.
    """
    work = _Widening(folder, column, kind)
    try:
        version = on_newest(folder, lambda _: commit(str(folder), work.change))
    except BaseException:
        remove_unseen(str(folder), list(work.made.values()))
        raise
    used = {one.path for one in work.used}
    remove_unseen(str(folder), [one for one in work.made.values() if one.path not in used])
    return Widened(folder.name, version, column, str(kind), len(used))


class _Widening:
    def __init__(self, folder: Path, column: str, kind: pa.DataType) -> None:
        self.folder, self.column, self.kind = folder, column, kind
        self.made: dict[str, NewFile] = {}
        """By the path of the file that it replaces. Names are never used again."""
        self.used: list[NewFile] = []

    def change(self, table: Table) -> Change | None:
        schema, self.used = table.schema, []
        at = schema.get_field_index(self.column)
        if at < 0:
            raise Failure(
                f"the dataset '{self.folder.name}' has no column '{self.column}' "
                f"(columns: {', '.join(schema.names)})"
            )
        known = schema.field(at).type
        if known == self.kind:
            return None
        if not is_wider(self.kind, known):
            raise Failure(
                f"the column '{self.column}' is {known}, and {self.kind} does not hold all its "
                "values; write another dataset, and merge the rows with a query"
            )
        removes = [file for file in table.files() if self._has(file)]
        self.used = [self._new(file) for file in removes]
        field = pa.field(self.column, self.kind)
        return Change("WIDEN", self.used, removes, changes_rows=False, widened=[field])

    def _has(self, file: LiveFile) -> bool:
        return file.path in self.made or self.column in schema_in(self.folder / file.path).names

    def _new(self, file: LiveFile) -> NewFile:
        if file.path not in self.made:
            rows = table_in(self.folder / file.path)
            rows = widened_rows(rows, pa.schema([pa.field(self.column, self.kind)]))
            start = first_start(footer_in(rows.schema, self.folder))
            self.made[file.path] = write_data_file(
                str(self.folder), data_path(start, "widened"), rows
            )
        return self.made[file.path]
