"""Columns computed from others."""

from __future__ import annotations

import pyarrow as pa

from tocsin.api.transform import (
    Collector,
    ExpressionError,
    Fault,
    Outcome,
    Param,
    Transform,
    evaluate,
    parse,
    quantity_of,
    type_of,
    user_columns,
    with_measured,
)


class Derive(Transform):
    """Adds or replaces columns by expressions; each sees those before it. Null in, null out."""

    columns: dict[str, str] = Param(
        help="expressions by column, such as {kelvin: value + 273.15}", min_length=1
    )
    drop: list[str] = Param([], help="columns to drop afterwards")

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        collector = Collector()
        for name, text in self.columns.items():
            with collector:
                schema = self._with_column(schema, name, text)
        collector.done()
        for at, name in enumerate(self.drop):
            if name not in schema.names or name.startswith("_"):
                raise Fault(f"no column '{name}' to drop", "drop", at)
            schema = schema.remove(schema.get_field_index(name))
        return schema

    @staticmethod
    def _with_column(schema: pa.Schema, name: str, text: str) -> pa.Schema:
        if name.startswith("_"):
            raise Fault(
                "a name that starts with an underscore is kept for system columns", "columns", name
            )
        try:
            tree = parse(text)
            field = pa.field(name, type_of(tree, schema))
            measured = quantity_of(tree, schema)
        except ExpressionError as error:
            raise Fault(str(error), "columns", name, at=error.at) from None
        at = schema.get_field_index(name)
        schema = (
            schema.set(at, field) if at >= 0 else schema.insert(len(user_columns(schema)), field)
        )
        return with_measured(schema, {name: measured})

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        for name, text in self.columns.items():
            column = evaluate(parse(text), batch)
            field = pa.field(name, column.type)
            at = batch.schema.get_field_index(name)
            if at >= 0:
                batch = batch.set_column(at, field, column)
            else:
                batch = batch.add_column(len(user_columns(batch.schema)), field, column)
        return Outcome(batch.drop_columns(self.drop) if self.drop else batch)

    examples = [({"columns": {"value": "value * 2"}}, [1.0, None], [2.0, None])]
