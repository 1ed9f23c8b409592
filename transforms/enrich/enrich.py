"""Columns from a table, such as a registry of sensors."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.api.transform import (
    EVENT_TIME,
    DataFile,
    Fault,
    Outcome,
    Param,
    Transform,
    VersionedRows,
    micros,
    read_table,
    user_columns,
    versioned_rows,
)


class Enrich(Transform):
    """Adds columns of a static table by key; a key that the table lacks gets nulls or is filtered.

    The table is a CSV or Parquet file with one row for each key; two rows of one key are an error.
    With `valid_from`, a key may have several rows: a reading gets the one that held at its event
    time, even if it is late or replayed. Use this for versions of a sensor's calibration, place or
    owner.
    """

    table: DataFile = Param(
        help="CSV or Parquet file, from the job's folder or the project's",
        examples=["registry/air_sensors.csv"],
    )
    by: list[str] = Param(
        help="key columns, with the same names in both", min_length=1, examples=[["sensor_id"]]
    )
    add: list[str] | None = Param(None, help="columns to add; by default all that the input lacks")
    valid_from: str | None = Param(
        None,
        help="column of the table: the time from which a row holds, until the next row of its key",
    )
    valid_to: str | None = Param(
        None, help="column of the table: the time from which a row no longer holds"
    )
    unknown: Literal["null", "filter"] = Param(
        "null", help="what to do with readings whose key the table lacks"
    )

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        try:
            table = read_table(self.table)
        except (OSError, pa.ArrowInvalid) as error:
            raise Fault(f"cannot read the table: {error}", "table") from None
        for at, name in enumerate(self.by):
            if name not in schema.names or name not in table.schema.names:
                where = "input" if name not in schema.names else f"table {self.table}"
                raise Fault(f"no column '{name}' in the {where}", "by", at)
        self._check_dates(table)
        if self.valid_from is None and table.num_rows != len(
            set(zip(*(table.column(name).to_pylist() for name in self.by), strict=True))
        ):
            raise Fault(
                f"the table has several rows for one key of {', '.join(self.by)}; "
                "`valid_from` would date them",
                "table",
            )
        at = len(user_columns(schema))
        for place, name in enumerate(self._added(schema, table)):
            if name not in table.schema.names:
                raise Fault(
                    f"no column '{name}' in the table (columns: {', '.join(table.schema.names)})",
                    "add",
                    place,
                )
            if name in schema.names:
                raise Fault(f"its input already has a column '{name}'", "add", place)
            schema = schema.insert(
                at, table.schema.field(name).with_nullable(True).with_metadata(None)
            )
            at += 1
        return schema

    def _check_dates(self, table: pa.Table) -> None:
        if self.valid_to is not None and self.valid_from is None:
            raise Fault("`valid_to` needs `valid_from`", "valid_to")
        for key, name in (("valid_from", self.valid_from), ("valid_to", self.valid_to)):
            if name is not None and name not in table.schema.names:
                raise Fault(
                    f"no column '{name}' in the table (columns: {', '.join(table.schema.names)})",
                    key,
                )
        if self.valid_from is None:
            return
        try:
            at = _dated(self.table, tuple(self.by), self.valid_from, self.valid_to).duplicate()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise Fault(f"the table's dates cannot be read: {error}", "valid_from") from None
        if at is not None:
            of = ", ".join(
                f"{name}={table.column(name)[at]}" for name in (*self.by, self.valid_from)
            )
            raise Fault(f"the table has two rows of {of}", "table")

    def _added(self, schema: pa.Schema, table: pa.Table) -> list[str]:
        if self.add is not None:
            return self.add
        dates = (self.valid_from, self.valid_to)
        return [
            name for name in table.schema.names if name not in schema.names and name not in dates
        ]

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        table = read_table(self.table)
        row = self._rows(batch, table)
        kept = batch
        if self.unknown == "filter":
            known = row.is_valid()
            kept, row = batch.filter(known), row.filter(known)
        at = len(user_columns(batch.schema))
        for name in self._added(batch.schema, table):
            column = table.column(name).combine_chunks().take(row)
            kept = kept.add_column(at, pa.field(name, column.type), column)
            at += 1
        return Outcome(kept, filtered=batch.num_rows - kept.num_rows)

    def _rows(self, batch: pa.RecordBatch, table: pa.Table) -> Any:
        """The table's row of each reading, or null."""
        if self.valid_from is not None:
            known = _dated(self.table, tuple(self.by), self.valid_from, self.valid_to)
            return known.rows_at(
                [batch.column(name) for name in self.by], micros(batch.column(EVENT_TIME))
            )
        if len(self.by) == 1:
            name = self.by[0]
            keys = table.column(name).combine_chunks()
            return pc.index_in(batch.column(name).cast(keys.type), value_set=keys)
        keys = _joined([table.column(name).combine_chunks() for name in self.by])
        return pc.index_in(_joined([batch.column(name) for name in self.by]), value_set=keys)

    examples: ClassVar[list[object]] = []


@cache
def _dated(path: str, by: tuple[str, ...], start: str, end: str | None) -> VersionedRows:
    table = read_table(path)
    keys = [table.column(name).combine_chunks() for name in by]
    return versioned_rows(keys, table.column(start), None if end is None else table.column(end))


def _joined(columns: list[Any]) -> Any:
    """Several keys as one text, with lengths first, so that no two keys collide."""
    texts = [column.cast(pa.string()) for column in columns]
    lengths = [pc.utf8_length(text).cast(pa.string()) for text in texts]
    return pc.binary_join_element_wise(*lengths, *texts, "|")
