"""Takes over a dataset of the layout before tables, and gives a dataset to another step.

Earlier releases kept the values of `partition_by` in the names of folders only. A table has them as
columns, so such files are written again. All others become files of the table where they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from tocsin.foundation.failure import Failure
from tocsin.kernels.path_encoding import NULL
from tocsin.lake.datasets import is_old_layout
from tocsin.lake.footers import footer, schema_in, start_of, table_in, units_in
from tocsin.table.columns import stored_column, stored_type
from tocsin.table.commit import Change, NewFile, commit
from tocsin.table.data_file import DATA, data_path, remove_unseen, write_data_file
from tocsin.table.leftovers import remove_files
from tocsin.table.linked import known_file
from tocsin.table.owner import OWNER
from tocsin.table.parts_of_time import TIME_PARTS
from tocsin.table.table import LOG, Table, create_table, open_table

_EMPTY = "%"  # An empty text, as a folder's name.


@dataclass(frozen=True)
class Adopted:
    """What became of a dataset.

    adopted: files of the table that stay where they are. rewritten: files that were written again,
    because values were in the names of folders only, or of types that a table lacks. rows: of both.
    owner: the step that may write the dataset, as `job/step`; None for whichever writes first.
    """

    dataset: str
    version: int
    adopted: int
    rewritten: int
    rows: int
    owner: str | None


def adopt(folder: Path, owner: str | None = None) -> Adopted:
    """Make a dataset of the old layout a table, or set the owner of a table.

    No job may write the dataset meanwhile. A reader sees no row before it sees all. Folders of
    files that were written again are deleted after that.

    Args:
        folder: of the dataset.
        owner: the step that may write it, as `job/step`; None to leave it open.

    Raises:
        Failure: if there is no such dataset, a file cannot be read, or files have columns of types
            that do not fit; the dataset is unchanged.
    """
    table = open_table(str(folder)) if folder.is_dir() else None
    if table is not None and not _is_begun(table):
        return _given(folder, owner)
    if table is None and (not folder.is_dir() or not is_old_layout(folder)):
        raise Failure(f"no dataset '{folder.name}' in {folder.parent}")
    return _Adoption(folder, owner).done()


def _is_begun(table: Table) -> bool:
    """Whether an adoption ended between its two commits."""
    return table.version == 0 and bool(_old_files(Path(table.place)))


def _old_files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*.parquet") if path.name[0] != ".")
    return sorted(path for path in found if path.relative_to(folder).parts[0] not in (DATA, LOG))


def _given(folder: Path, owner: str | None) -> Adopted:
    def change_of(table: Table) -> Change | None:
        if owner is None or table.properties.get(OWNER) == owner:
            return None
        return Change("SET OWNER", properties={OWNER: owner})

    commit(str(folder), change_of)
    table = open_table(str(folder))
    assert table is not None
    return Adopted(folder.name, table.version, 0, 0, 0, table.properties.get(OWNER))


class _Adoption:
    def __init__(self, folder: Path, owner: str | None) -> None:
        self.folder, self.owner = folder, owner
        self.files = _old_files(folder)
        self.kept: list[NewFile] = []
        self.made: list[NewFile] = []
        self.old: list[str] = []
        self.marks: dict[str, int] = {}

    def done(self) -> Adopted:
        place = str(self.folder)
        try:
            schema = self._schema()
            for file in self.files:
                self._take(file)
            # The table appears with its first commit, which is empty, and its files with the next.
            create_table(place, schema, [], {} if self.owner is None else {OWNER: self.owner})
            version = commit(place, self._change)
        except BaseException:
            remove_unseen(place, self.made)
            raise
        remove_files(place, self.old)
        self._remove_empty_folders()
        rows = sum(file.statistics["numRecords"] for file in [*self.kept, *self.made])
        return Adopted(
            self.folder.name, version or 0, len(self.kept), len(self.made), rows, self.owner
        )

    def _change(self, _: Table) -> Change:
        return Change("ADOPT", [*self.kept, *self.made], marks=self.marks)

    def _schema(self) -> pa.Schema:
        """The columns of all files, with those of folders behind them."""
        found: list[pa.Schema] = []
        for file in self.files:
            own = [
                pa.field(field.name, self._stored_type(file, field)) for field in schema_in(file)
            ]
            parts = [pa.field(name, kind) for name, (kind, _) in self._values(file).items()]
            found.append(pa.schema([*own, *parts]))
        try:
            return pa.unify_schemas(found)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise Failure(
                f"the dataset '{self.folder.name}' has files whose columns differ in type: {error}"
            ) from None

    @staticmethod
    def _stored_type(file: Path, field: pa.Field) -> pa.DataType:
        try:
            return stored_type(field.type)
        except ValueError as error:
            raise Failure(f"{file}: the column '{field.name}' cannot be stored: {error}") from None

    def _values(self, file: Path) -> dict[str, tuple[pa.DataType, Any]]:
        """Types and values of the columns that stand in the names of a file's folders only."""
        kinds = json.loads(footer(file).get("tocsin.partitions", "{}"))
        known = set(schema_in(file).names)
        found = {}
        for part in file.relative_to(self.folder).parts[:-1]:
            name, sign, encoded = part.partition("=")
            if sign and name not in known:
                found[name] = _typed(name, _text(encoded), kinds.get(name))
        return found

    def _take(self, file: Path) -> None:
        path = str(file.relative_to(self.folder))
        values, place = self._values(file), str(self.folder)
        self._note_mark(footer(file))
        schema = schema_in(file)
        if not values and all(stored_type(field.type) == field.type for field in schema):
            self.kept.append(known_file(place, path))
            return
        rows = table_in(file)
        fields = [field.with_type(stored_type(field.type)) for field in rows.schema]
        columns = [stored_column(column) for column in rows.columns]
        for name, (kind, value) in values.items():
            fields.append(pa.field(name, kind))
            columns.append(pa.array([value] * rows.num_rows, kind))
        rows = pa.Table.from_arrays(columns, schema=pa.schema(fields, rows.schema.metadata))
        starts = [start_of(unit) for unit in units_in(footer(file))]
        start = min((one for one in starts if one is not None), default=0)
        self.made.append(write_data_file(place, data_path(start, "adopted"), rows))
        self.old.append(path)

    def _note_mark(self, head: dict[str, str]) -> None:
        """A mark for the live job that owns the dataset: it writes no unit of the files again."""
        for unit in units_in(head) if self.owner is not None else []:
            parts = unit.split(".")
            if len(parts) == 3:
                name = f"{self.owner}//{parts[1]}"
                until = int(head.get("tocsin.until", 0))
                self.marks[name] = max(self.marks.get(name, until), until)

    def _remove_empty_folders(self) -> None:
        folders = {(self.folder / path).parent for path in self.old}
        above = {one for folder in folders for one in (folder, *folder.parents)}
        inside = [one for one in above if self.folder in one.parents]
        for folder in sorted(inside, key=lambda one: len(one.parts), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()


def _text(encoded: str) -> str | None:
    """The text of a value in a folder's name, or None for null.

    A long value was cut by the earlier release; its beginning and its hash remain.
    """
    if encoded == NULL:
        return None
    return "" if encoded == _EMPTY else unquote(encoded)


def _typed(name: str, text: str | None, declared: str | None) -> tuple[pa.DataType, Any]:
    """The type and the value of a folder's text; text where no type is declared."""
    kind = TIME_PARTS[name] if name in TIME_PARTS and declared is None else _kind(declared)
    read = _READERS.get(kind, str)
    try:
        return kind, None if text is None else read(text)
    except ValueError:
        raise Failure(f"the folder {name}={text} has no {kind}") from None


def _kind(declared: str | None) -> pa.DataType:
    if declared is None:
        return pa.string()
    if declared.startswith("decimal"):
        return pa.string()
    try:
        found = stored_type(pa.type_for_alias(declared))
    except ValueError:
        return pa.string()
    return found if found in _READERS else pa.string()


_READERS: dict[pa.DataType, Callable[[str], Any]] = {
    **dict.fromkeys((pa.int8(), pa.int16(), pa.int32(), pa.int64()), int),
    pa.float32(): float,
    pa.float64(): float,
    pa.bool_(): lambda text: text == "True",
    pa.date32(): date.fromisoformat,
}
