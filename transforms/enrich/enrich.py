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
    Types,
    VersionedRows,
    checked_table,
    columns_shown,
    micros,
    place_of_row,
    read_table,
    user_columns,
    versioned_rows,
)

_TYPES = {
    "string": pa.string(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}


class Enrich(Transform):
    """Adds columns of a static table by key; a key that the table lacks gets nulls or is filtered.

    The table is a CSV or Parquet file with one row for each key; two rows of one key are an error.
    With `valid_from`, a key may have several rows: a reading gets the one that held at its event
    time, even if it is late or replayed. Use this for versions of a sensor's calibration, place or
    owner.

    A key column of a CSV table has the type of the input, so `007` stays a text where the readings
    have texts. In other columns, digits that begin with a zero are text.
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
    types: dict[str, Literal["string", "long", "double", "boolean", "timestamp", "date"]] = Param(
        {},
        help="types of the table's other columns, such as {postcode: string}; "
        "by default CSV columns follow from their cells",
    )
    unknown: Literal["null", "filter"] = Param(
        "null", help="what to do with readings whose key the table lacks"
    )

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        table = checked_table(self.table, [], "table", types=self._types(schema))
        for at, name in enumerate(self.by):
            if name not in schema.names or name not in table.schema.names:
                shown = f"table {self.table} {columns_shown(self.table, table)}"
                where = "input" if name not in schema.names else shown
                raise Fault(f"no column '{name}' in the {where}", "by", at)
        for name in self.types:
            if name not in table.schema.names or name in self.by:
                why = "is a key, with the type of the input" if name in self.by else "is not there"
                raise Fault(f"the column '{name}' of the table {why}", "types", name)
        self._check_dates(schema, table)
        if self.valid_from is None:
            self._check_keys(table)
        at = len(user_columns(schema))
        for place, name in enumerate(self._added(schema, table)):
            if name not in table.schema.names:
                raise Fault(
                    f"no column '{name}' in the table {columns_shown(self.table, table)}",
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

    def _types(self, schema: pa.Schema) -> Types:
        """The types of the table's columns: of keys, those of the input."""
        keys = ((name, schema.field(name).type) for name in self.by if name in schema.names)
        return (*keys, *((name, _TYPES[kind]) for name, kind in self.types.items()))

    def _check_keys(self, table: pa.Table) -> None:
        first: dict[Any, int] = {}
        for at, key in enumerate(
            zip(*(table.column(name).to_pylist() for name in self.by), strict=True)
        ):
            known = first.setdefault(key, at)
            if known != at:
                shown = ", ".join(
                    f"{name}={value}" for name, value in zip(self.by, key, strict=True)
                )
                raise Fault(
                    f"{place_of_row(self.table, at)}: the table has several rows for one key: "
                    f"{shown} is also at {place_of_row(self.table, known)}; "
                    "`valid_from` would date them",
                    "table",
                )

    def _check_dates(self, schema: pa.Schema, table: pa.Table) -> None:
        if self.valid_to is not None and self.valid_from is None:
            raise Fault("`valid_to` needs `valid_from`", "valid_to")
        for key, name in (("valid_from", self.valid_from), ("valid_to", self.valid_to)):
            if name is not None and name not in table.schema.names:
                raise Fault(
                    f"no column '{name}' in the table {columns_shown(self.table, table)}",
                    key,
                )
        if self.valid_from is None:
            return
        try:
            at = self._versions(self._types(schema)).duplicate()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise Fault(f"the table's dates cannot be read: {error}", "valid_from") from None
        if at is not None:
            of = ", ".join(
                f"{name}={table.column(name)[at]}" for name in (*self.by, self.valid_from)
            )
            raise Fault(f"the table has two rows of {of}", "table")

    def _versions(self, types: Types) -> VersionedRows:
        assert self.valid_from is not None
        return _dated(self.table, types, tuple(self.by), (self.valid_from, self.valid_to))

    def _added(self, schema: pa.Schema, table: pa.Table) -> list[str]:
        if self.add is not None:
            return self.add
        dates = (self.valid_from, self.valid_to)
        return [
            name for name in table.schema.names if name not in schema.names and name not in dates
        ]

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        table = read_table(self.table, self._types(batch.schema))
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
            known = self._versions(self._types(batch.schema))
            return known.rows_at(
                [batch.column(name) for name in self.by], micros(batch.column(EVENT_TIME))
            )
        if len(self.by) == 1:
            name = self.by[0]
            keys = table.column(name).combine_chunks()
            return pc.index_in(batch.column(name), value_set=keys)
        keys = _joined([table.column(name).combine_chunks() for name in self.by])
        return pc.index_in(_joined([batch.column(name) for name in self.by]), value_set=keys)

    examples: ClassVar[list[object]] = []


@cache
def _dated(
    path: str, types: Types, by: tuple[str, ...], dates: tuple[str, str | None]
) -> VersionedRows:
    table = read_table(path, types)
    keys = [table.column(name).combine_chunks() for name in by]
    end = None if dates[1] is None else table.column(dates[1])
    return versioned_rows(keys, table.column(dates[0]), end)


def _joined(columns: list[Any]) -> Any:
    """Several keys as one text, with lengths first, so that no two keys collide."""
    texts = [column.cast(pa.string()) for column in columns]
    lengths = [pc.utf8_length(text).cast(pa.string()) for text in texts]
    return pc.binary_join_element_wise(*lengths, *texts, "|")
