"""Types whose values all fit into a wider one: rows are stored in the type of their table."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64()]
_WIDER: dict[pa.DataType, list[pa.DataType]] = {
    **{kind: _INTEGERS[at + 1 :] for at, kind in enumerate(_INTEGERS)},
    pa.float32(): [pa.float64()],
}
for _kind in _INTEGERS[:3]:
    _WIDER[_kind] = [*_WIDER[_kind], pa.float64()]


def is_wider(kind: pa.DataType, than: pa.DataType) -> bool:
    """Whether each value of a type has an equal one in another, wider type."""
    return kind in _WIDER.get(than, [])


def widened_schema(schema: pa.Schema, known: pa.Schema) -> pa.Schema:
    """Columns in the types of a table, where these are wider; notes and metadata stay."""
    for at, field in enumerate(schema):
        number = known.get_field_index(field.name)
        if number >= 0 and is_wider(known.field(number).type, field.type):
            schema = schema.set(at, field.with_type(known.field(number).type))
    return schema


def widened_rows(rows: Any, known: pa.Schema) -> Any:
    """Rows, a table, with the columns of `widened_schema`; nulls stay."""
    schema = widened_schema(rows.schema, known)
    return rows if schema.equals(rows.schema) else rows.cast(schema)
