"""Arrow types of other writers, as the types that every part handles.

| written | read as |
|---|---|
| dictionary of a type | the type |
| large and view strings and binaries, fixed-size binaries | string, binary |
| large and fixed-size lists | list |
| timestamp of any unit | timestamp[us]; with the zone UTC if it has one |
| time of any unit | time64[us] |
| date64 | date32 |
| float16 | float32 |
| list, map and struct | the same, of such types |
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.avro.columns import bounds, outside, times
from tocsin.kernels.avro.json_values import reader_of
from tocsin.kernels.avro.types import logical_of
from tocsin.kernels.batch import TIMESTAMP, in_micros


def usual_type(kind: Any) -> Any:
    """The type in which a column of another writer is read."""
    if isinstance(kind, pa.BaseExtensionType):
        return usual_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return usual_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return TIMESTAMP if kind.tz else pa.timestamp("us")
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(usual_type(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(usual_type(kind.key_type), usual_type(kind.item_type))
    for is_such, wanted in _SIMPLE:
        if is_such(kind):
            return wanted
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(usual_type(kind.value_type)))
    return kind


_SIMPLE = (
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_large_binary, pa.binary()),
    (pa.types.is_binary_view, pa.binary()),
    (pa.types.is_fixed_size_binary, pa.binary()),
    (pa.types.is_time, pa.time64("us")),
    (pa.types.is_date64, pa.date32()),
    (pa.types.is_float16, pa.float32()),
)


def converted(column: Any, wanted: Any, avro: Any = None) -> Any:
    """A column of another writer in a wanted type.

    Nanoseconds are cut to microseconds, and integers are rounded to the nearest float. Integers as
    times are in the unit of the Avro type, and text as times is ISO 8601.

    Args:
        column: the column.
        wanted: the type.
        avro: the Avro type of the column, or None.

    Raises:
        ValueError: if a value does not fit; pyarrow's exceptions are among them.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_timestamp(kind) and pa.types.is_timestamp(wanted) and kind.unit == "ns":
        return in_micros(column).cast(wanted)
    if pa.types.is_temporal(wanted) and pa.types.is_integer(kind):
        return _of_numbers(column, wanted, logical_of(avro))
    if pa.types.is_temporal(wanted) and pa.types.is_string(usual_type(kind)):
        return _of_texts(column, wanted, avro)
    if pa.types.is_integer(kind) and pa.types.is_floating(wanted):
        return column.cast(wanted, safe=False)
    if pa.types.is_float64(kind) and pa.types.is_float32(wanted):
        return column.cast(wanted, safe=False)
    if pa.types.is_integer(wanted) and pa.types.is_temporal(kind):
        # The number of whatever unit the writer chose would have another meaning in each file.
        raise ValueError(f"{kind} is not {wanted}")
    return column.cast(options=pc.CastOptions(wanted, allow_time_truncate=True))


def _of_numbers(column: Any, wanted: Any, logical: str | None) -> Any:
    if logical is None:
        raise ValueError(f"{column.type} is not {wanted}: nothing says its unit")
    low, high, sentence = bounds(logical)
    values = column.fill_null(0).to_numpy(zero_copy_only=False).astype("int64")
    wrong = outside(values, low, high)
    if wrong is not None:
        raise ValueError(f"{values[wrong][0]} {sentence}")
    mask = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    return times(values, mask, logical, wanted)


def _of_texts(column: Any, wanted: Any, avro: Any) -> Any:
    if avro is None:
        return column.cast(wanted)
    read = reader_of(["null", avro])
    encoded = pc.dictionary_encode(column)
    values = pa.array([read(text) for text in encoded.dictionary.to_pylist()], wanted)
    return values.take(encoded.indices)
