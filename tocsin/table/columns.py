"""Columns as Delta stores them: types that it lacks become others that hold all values.

| Arrow | Delta |
|---|---|
| uint8, uint16, uint32 | short, integer, long |
| uint64 | decimal(20,0) |
| float16 | float |
| time of a day, duration | long, microseconds; nanoseconds are cut |
| timestamp of any unit and zone | timestamp, microseconds in UTC; nanoseconds are cut |
| date64 | date |
| dictionary | the type of its values |
| large, fixed-size or view string and binary | string, binary |
| null | string |

Lists, structs and maps are stored with their parts mapped likewise.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tocsin.kernels.batch import TIMESTAMP, in_micros
from tocsin.table.widening import is_wider

_WIDER = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
    pa.float16(): pa.float32(),
    pa.null(): pa.string(),
    pa.date64(): pa.date32(),
}
_SAME = {
    *(pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.float32(), pa.float64(), pa.string(), pa.binary(), pa.date32()),
}
_DIGITS = 38


def stored_type(kind: pa.DataType) -> pa.DataType:
    """The type that a table has for a type of Arrow.

    Raises:
        ValueError: for a type whose values no type of Delta holds, such as an interval.
    """
    if kind in _SAME:
        return kind
    if kind in _WIDER:
        return _WIDER[kind]
    types = pa.types
    if types.is_timestamp(kind):
        return TIMESTAMP
    if types.is_time(kind) or types.is_duration(kind):
        return pa.int64()
    if types.is_dictionary(kind):
        return stored_type(kind.value_type)
    if types.is_large_string(kind) or types.is_string_view(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind) or _is_fixed_binary(kind):
        return pa.binary()
    if types.is_decimal(kind) and kind.precision <= _DIGITS and 0 <= kind.scale <= kind.precision:
        return pa.decimal128(kind.precision, kind.scale)
    return _nested(kind)


def _is_fixed_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_binary(kind))


def _nested(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.list_(stored_type(kind.value_type))
    if types.is_struct(kind):
        return pa.struct([(field.name, stored_type(field.type)) for field in kind])
    if types.is_map(kind):
        return pa.map_(stored_type(kind.key_type), stored_type(kind.item_type))
    raise ValueError(f"a Delta table has no type for {kind}")


def stored_column(column: Any) -> Any:
    """A column in the type that a table has for it; nulls stay.

    Raises:
        ValueError: as `stored_type`.
    """
    kind = column.type
    to = stored_type(kind)
    if kind == to:
        return column
    types = pa.types
    if types.is_timestamp(kind) and kind.unit == "ns":
        column = in_micros(column)
    elif types.is_time32(kind):
        column = column.cast(pa.time32("ms")).cast(pa.time64("us"))
    elif types.is_time64(kind):
        column = column.cast(pa.time64("us"), safe=False)
    elif types.is_duration(kind):
        column = column.cast(pa.duration("us"), safe=False)
    elif types.is_dictionary(kind):
        return stored_column(column.dictionary_decode())
    return column.cast(to, safe=False) if types.is_nested(kind) else column.cast(to)


def stored_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows in the types that a table has for their columns; metadata is dropped."""
    columns = [stored_column(column) for column in batch.columns]
    fields = [
        pa.field(name, column.type)
        for name, column in zip(batch.schema.names, columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def stored_table(table: Any) -> Any:
    """A table of rows in the types that a table of a lake has; metadata is dropped.

    Files of other writers may lack these types.
    """
    columns = [stored_column(column) for column in table.columns]
    return pa.table(dict(zip(table.column_names, columns, strict=True)))


def as_table(rows: Any, schema: pa.Schema) -> Any:
    """Rows with exactly the columns of a schema; one that they lack is null."""
    return with_all_columns(stored_table(rows), schema).select(schema.names).cast(schema)


def new_columns(known: pa.Schema, given: pa.Schema, dataset: str) -> list[pa.Field]:
    """The columns of a batch that a table does not have yet.

    Args:
        known: columns of the table.
        given: columns of the batch, in the types of a table.
        dataset: its name, for the error.

    Raises:
        ValueError: if a column has another type in the table.
    """
    found = []
    for field in given:
        at = known.get_field_index(field.name)
        if at < 0:
            found.append(pa.field(field.name, field.type))
        elif not _is_one_type(known.field(at).type, field.type):
            raise ValueError(
                f"the column '{field.name}' is {known.field(at).type} in the dataset '{dataset}', "
                f"and {field.type} in these rows; "
                f"{_remedy(field, known.field(at).type, dataset)}"
            )
    return found


def _remedy(field: pa.Field, known: pa.DataType, dataset: str) -> str:
    if is_wider(field.type, known):
        return (
            "widen it with "
            f"`tocsin lake FOLDER widen --dataset {dataset} --column {field.name}={field.type}`"
        )
    return "give the column another name, or write another dataset"


def _is_one_type(one: pa.DataType, other: pa.DataType) -> bool:
    # Names of list items and of map entries differ between libraries.
    from deltalake import Schema

    texts = [Schema.from_arrow(pa.schema([pa.field("x", kind)])).to_json() for kind in (one, other)]
    return one == other or texts[0] == texts[1]


def with_all_columns(table: Any, schema: pa.Schema) -> Any:
    """A table of rows with nulls in the columns of a schema that it lacks, behind its own."""
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table
