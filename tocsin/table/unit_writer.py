"""The writer of a dataset: files of units, committed with the marks that make each count once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import OFFSET
from tocsin.table.care import TableCare
from tocsin.table.columns import new_columns, with_all_columns
from tocsin.table.commit import Change, NewFile, commit
from tocsin.table.data_file import data_path, read_rows, remove_unseen, write_data_file
from tocsin.table.earlier_runs import EarlierFiles, Marks, covered_mark, uncovered, unfinished
from tocsin.table.extents import Ends, Extents, merged_ends
from tocsin.table.owner import CURRENT_RUN, SHARDS, Writer
from tocsin.table.table import Table, create_table, open_table
from tocsin.table.units import Unit
from tocsin.table.widening import widened_rows, widened_schema


@dataclass(frozen=True)
class _Pending:
    """A unit whose files are on the disk and in no commit yet."""

    unit: Unit
    files: list[NewFile]
    schema: pa.Schema
    replaces: bool


class UnitWriter:
    """Writes the units of a step. Nobody sees a unit before the commit that has its mark."""

    def __init__(
        self,
        writer: Writer,
        check: Callable[[str], None] = lambda _: None,
        *,
        maintains: bool = False,
    ) -> None:
        """A writer of no units yet.

        check: called with each folder before it is written. maintains: whether it cares for the
        table after commits.
        """
        self.writer = writer
        self.care = TableCare(writer.place) if maintains else None
        self._check_folder = check
        self._table: Table | None = None
        self._covered: Marks = {}
        self._extents = Extents(writer.place)
        self._earlier = EarlierFiles(writer, self._extents)
        self._pending: dict[str, _Pending] = {}
        self._dropped: list[NewFile] = []
        self._reached: dict[str, Ends] = {}

    def begin(self, schema: pa.Schema, *, has_offsets: bool) -> None:
        """Make the table if it does not exist, and take it over for this run.

        Args:
            schema: columns of the rows, in the types of a table.
            has_offsets: whether each row has the offset that it was read from.

        Raises:
            Failure: if the step may not write the table, or a column has another type there.
        """
        if self._table is not None:
            self._check_columns(self._table, schema)
            return
        writer = self.writer
        self._check_folder(f"{writer.place}/_delta_log")
        table = create_table(writer.place, schema, [], writer.properties)
        self._check_columns(table, schema)
        writer.check(table)
        if not writer.is_current(table):
            removes = writer.rerun == "continue" and has_offsets
            commit(writer.place, lambda table: self._begun(table, removes))
        self._table = open_table(writer.place)

    def _begun(self, table: Table, removes: bool) -> Change | None:
        writer = self.writer
        writer.check(table)
        if writer.is_current(table):
            return None
        return Change(
            "BEGIN",
            removes=unfinished(table, self._extents, writer) if removes else (),
            marks={writer.begun: 1},
            properties={**writer.properties, CURRENT_RUN: writer.run},
        )

    def _check_columns(self, table: Table, schema: pa.Schema) -> list[pa.Field]:
        try:
            fits = widened_schema(schema, table.schema)
            return new_columns(table.schema, fits, self.writer.dataset)
        except ValueError as error:
            raise Failure(str(error)) from None

    def uncovered(self, rows: Any, shard: str, topic: str) -> Any:
        """The rows of a batch, without those that a finished run has read already."""
        assert self._table is not None
        if self.writer.rerun != "continue" or CURRENT_RUN not in self._table.properties:
            return rows
        return uncovered(self._table, rows, shard, topic, self._covered)

    def write(self, unit: Unit, label: str, parts: list[Any], *, has_offsets: bool) -> None:
        """Write the files of a unit; the next flush commits them.

        Args:
            unit: written again, it takes the place of the first attempt.
            label: of the files, for people.
            parts: a table for each file, whose metadata becomes the footer.
            has_offsets: as in `begin`.

        Raises:
            OSError: if a file cannot be written.
        """
        assert self._table is not None
        writer, known = self.writer, self._table.schema
        self._drop(self._pending.pop(unit.name, None))
        files: list[NewFile] = []
        try:
            for rows in parts:
                path = data_path(unit.start, label)
                whole = with_all_columns(widened_rows(rows, known), known)
                files.append(write_data_file(writer.place, path, whole, self._check_folder))
                self._note(path, rows, unit.shard)
        except BaseException:
            # The framework writes all units again, and these would be in the next commit.
            remove_unseen(writer.place, files)
            self.forget()
            raise
        replaces = writer.rerun == "replace" or (writer.rerun == "continue" and not has_offsets)
        schema = widened_schema(parts[0].schema, known)
        self._pending[unit.name] = _Pending(unit, files, schema, replaces)

    def _note(self, path: str, rows: Any, shard: str) -> None:
        footer = {key.decode(): value.decode() for key, value in rows.schema.metadata.items()}
        self._extents.note(path, footer)
        ends = self._extents.of(path).ends
        self._reached[shard] = merged_ends([self._reached.get(shard, {}), ends])

    def forget(self) -> None:
        """Delete the files that no commit has."""
        pending, self._pending = self._pending, {}
        for one in pending.values():
            self._drop(one)
        remove_unseen(self.writer.place, self._dropped)
        self._dropped = []

    def _drop(self, pending: _Pending | None) -> None:
        if pending is not None:
            self._dropped += pending.files

    def flush(self) -> None:
        """Commit all written units in one commit, without those that were committed before.

        Raises:
            Failure: if the step may not write the table any more, or the commit fails.
        """
        if not self._pending:
            return
        used: list[Change] = []

        def change_of(table: Table) -> Change | None:
            used[:] = [one for one in (self._change(table),) if one is not None]
            return used[0] if used else None

        try:
            version = commit(self.writer.place, change_of, self._table)
        except Failure:
            self.forget()
            raise
        except BaseException:
            # Whether the commit is there is not known: its files stay, and are not used again.
            self._pending = {}
            self._earlier.unused(())
            raise
        adds = [file for change in used for file in change.adds]
        kept = {file.path for file in adds}
        written = [file for one in self._pending.values() for file in one.files]
        self._pending = {}
        self._dropped += [file for file in written if file.path not in kept]
        self._dropped += self._earlier.unused(adds)
        self.forget()
        if version is not None and self.care is not None:
            self.care.after(version)

    def _change(self, table: Table) -> Change | None:
        """The change of a version: the units that it lacks."""
        writer = self.writer
        writer.check(table)
        if not writer.is_current(table):
            raise Failure(f"the dataset '{writer.dataset}' was made again while it was written")
        fresh = []
        marks: dict[str, int] = {}
        for one in [self._as_wide(one, table.schema) for one in self._pending.values()]:
            name, number = one.unit.mark(writer.marks)
            known = table.mark(name)
            if known is None or known < number:
                fresh.append(one)
                marks[name] = max(marks.get(name, number), number)
        if not fresh:
            return None
        columns = {
            field.name: field for one in fresh for field in self._check_columns(table, one.schema)
        }
        spans = [(one.unit.start, one.unit.until) for one in fresh if one.replaces]
        replaced = self._earlier.replaced(table, spans)
        return Change(
            "WRITE",
            [*(file for one in fresh for file in one.files), *replaced.rests],
            replaced.removes,
            marks,
            columns=columns.values(),
            properties=self._changed_shards(table),
        )

    def _as_wide(self, one: _Pending, known: pa.Schema) -> _Pending:
        """A unit whose files are written again where a column became wider since."""
        schema = widened_schema(one.schema, known)
        if schema.equals(one.schema):
            return one
        files = []
        for file in one.files:
            rows = read_rows(self.writer.place, file.path)
            path = data_path(one.unit.start, "widened")
            self._note(path, rows, one.unit.shard)
            wide = widened_rows(rows, known)
            files.append(write_data_file(self.writer.place, path, wide, self._check_folder))
        self._drop(one)
        self._pending[one.unit.name] = _Pending(one.unit, files, schema, one.replaces)
        return self._pending[one.unit.name]

    def _changed_shards(self, table: Table) -> dict[str, str]:
        shards = str(self.writer.shards)
        return {} if table.properties.get(SHARDS) == shards else {SHARDS: shards}

    def end(self, shard: str) -> None:
        """Note that a shard of a bounded run has read its input to the end.

        Raises:
            Failure: if the step may not write the table any more.
        """
        table = open_table(self.writer.place) if self.writer.run else None
        if table is not None and self.writer.is_current(table):
            commit(self.writer.place, lambda table: self._ended(table, shard))

    def _ended(self, table: Table, shard: str) -> Change | None:
        writer = self.writer
        writer.check(table)
        if not writer.is_current(table) or table.mark(writer.ended(shard)) is not None:
            return None
        marks = {writer.ended(shard): 1}
        if OFFSET in table.schema.names:
            for (topic, partition), last in self._ends(table, shard).items():
                name = covered_mark(shard, topic, partition)
                known = table.mark(name)
                if topic and (known is None or known < last):
                    marks[name] = last
        return Change("END", marks=marks)

    def _ends(self, table: Table, shard: str) -> Ends:
        """The last offsets that the run has read for a shard, before a restart too."""
        extents = (self._extents.of(file.path) for file in table.files())
        ours = [one.ends for one in extents if one.run == self.writer.run and shard in one.shards]
        return merged_ends([*ours, self._reached.get(shard, {})])
