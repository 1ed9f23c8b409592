"""Columns from a table, such as a registry of sensors."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.api import DataFile, Fault, Outcome, Param, Transform, read_table, user_columns


class Enrich(Transform):
    """Adds columns of a static table by key; a key that the table lacks gets nulls, or is filtered.

    The table is a CSV or Parquet file with one row a key; two rows of one key are a mistake.
    """

    table: DataFile = Param(help="CSV or Parquet file, from the job's folder or the project's")
    by: list[str] = Param(help="key columns, named alike in both", min_length=1)
    add: list[str] | None = Param(None, help="columns to add; by default all that the input lacks")
    unknown: Literal["null", "filter"] = Param("null", help="what happens to readings whose key the table lacks")

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        try:
            table = read_table(self.table)
        except (OSError, pa.ArrowInvalid) as error:
            raise Fault(f"cannot read the table: {error}", "table") from None
        for at, name in enumerate(self.by):
            if name not in schema.names or name not in table.schema.names:
                where = "input" if name not in schema.names else f"table {self.table}"
                raise Fault(f"no column '{name}' in the {where}", "by", at)
        if table.num_rows != len(set(zip(*(table.column(name).to_pylist() for name in self.by), strict=True))):
            raise Fault(f"the table has several rows for one key of {', '.join(self.by)}", "table")
        at = len(user_columns(schema))
        for place, name in enumerate(self._added(schema, table)):
            if name not in table.schema.names:
                raise Fault(f"no column '{name}' in the table (columns: {', '.join(table.schema.names)})", "add", place)
            if name in schema.names:
                raise Fault(f"its input already has a column '{name}'", "add", place)
            schema = schema.insert(at, table.schema.field(name).with_nullable(True).with_metadata(None))
            at += 1
        return schema

    def _added(self, schema: pa.Schema, table: pa.Table) -> list[str]:
        if self.add is not None:
            return self.add
        return [name for name in table.schema.names if name not in schema.names]

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
        if len(self.by) == 1:
            name = self.by[0]
            keys = table.column(name).combine_chunks()
            return pc.index_in(batch.column(name).cast(keys.type), value_set=keys)
        keys = _joined([table.column(name).combine_chunks() for name in self.by])
        return pc.index_in(_joined([batch.column(name) for name in self.by]), value_set=keys)

    examples: ClassVar[list[object]] = []


def _joined(columns: list[Any]) -> Any:
    """Several keys as one text; lengths first, so that no two keys meet."""
    texts = [column.cast(pa.string()) for column in columns]
    lengths = [pc.utf8_length(text).cast(pa.string()) for text in texts]
    return pc.binary_join_element_wise(*lengths, *texts, "|")
