"""Event times of a column in microseconds, from timestamps, ISO 8601 text, or numbers of a unit.

| column | value |
|---|---|
| timestamp | the instant; without a zone, UTC |
| text | ISO 8601 with an offset; with a unit also a number of it |
| integer, float | a number of the unit since 1970 |
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.avro.columns import bounds
from tocsin.kernels.avro.json_values import reader_of
from tocsin.kernels.batch import BEGINNING, TIMESTAMP, Int64s, micros

SCALES = {"seconds": 10**6, "milliseconds": 1000, "microseconds": 1, "nanoseconds": 1}
"""Microseconds of each unit. A nanosecond is cut to microseconds."""

_NUMBER = re.compile(r"\s*-?[0-9]+(\.[0-9]+)?\s*", re.ASCII)
_FIRST, _LAST, _ = bounds("timestamp-micros")
_INSTANT = reader_of({"type": "long", "logicalType": "timestamp-micros"})


def is_text(kind: Any) -> bool:
    """Whether values of an Arrow type are text."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_number(kind: Any) -> bool:
    """Whether values of an Arrow type are integers or floats, whose unit has to be known."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def event_micros(column: Any, unit: str | None = None) -> Int64s:
    """Event times in microseconds since 1970, int64.

    Null, and a value that is no time in the years 1 to 9999, becomes BEGINNING.

    Args:
        column: timestamps, text, integers or floats.
        unit: the unit of numbers; milliseconds if it is None.
    """
    if pa.types.is_timestamp(column.type):
        return _within_years(micros(column))
    if is_text(column.type):
        return _of_texts(column, unit)
    missing = column.is_null().to_numpy(zero_copy_only=False)
    return _of_numbers(column, missing, unit or "milliseconds")


def why_no_time(value: Any, unit: str | None) -> str:
    """Why `event_micros` gives BEGINNING for a value, as the rest of a sentence."""
    if value is None:
        return "is null"
    if isinstance(value, str):
        try:
            _micros_of_text(value, unit)
        except ValueError as error:
            return f"is no time: {error}"
    return f"is {value}, which is beyond the years 1 to 9999 in {unit or 'its unit'}"


def _of_numbers(column: Any, missing: Any, unit: str) -> Int64s:
    scale, divisor = SCALES[unit], 1000 if unit == "nanoseconds" else 1
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    low, high = _FIRST * divisor // scale, (_LAST + 1) * divisor // scale - 1
    # NaN is not within; nanoseconds of 64 bits end in the year 2262.
    within = (values >= max(low, -(2**63))) & (values <= min(high, 2**63 - 1))
    known = np.where(within, values, 0)
    if known.dtype.kind == "f":
        scaled = np.rint(known.astype(np.float64) * scale / divisor)
    else:
        scaled = known.astype(np.int64) * scale // divisor
    result: Int64s = np.where(within & ~missing, scaled.astype(np.int64), BEGINNING)
    return result


def _of_texts(column: Any, unit: str | None) -> Int64s:
    try:
        found = micros(column.cast(TIMESTAMP))
    except pa.ArrowInvalid:
        # Times repeat within a batch less often than they fit Arrow's form; this way is rare.
        encoded = pc.dictionary_encode(column)
        distinct = [_micros_or_beginning(text, unit) for text in encoded.dictionary.to_pylist()]
        at = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
        found = np.array([*distinct, BEGINNING], np.int64)[at]
    return _within_years(found)


def _within_years(times: Int64s) -> Int64s:
    if not len(times) or (times.min() >= _FIRST and times.max() <= _LAST):
        return times
    result: Int64s = np.where((times < _FIRST) | (times > _LAST), BEGINNING, times)
    return result


def _micros_or_beginning(text: str, unit: str | None) -> int:
    try:
        return _micros_of_text(text, unit)
    except ValueError:
        return BEGINNING


def _micros_of_text(text: str, unit: str | None) -> int:
    """The microseconds of a text. Raises ValueError with the reason."""
    if unit is None or not _NUMBER.fullmatch(text):
        return int(_INSTANT(text))
    number: Any = float(text) if "." in text else int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"'{text}' does not fit 64 bits")
    found = int(_of_numbers(pa.array([number]), np.zeros(1, np.bool_), unit)[0])
    if found == BEGINNING:
        raise ValueError(f"'{text}' is beyond the years 1 to 9999 in {unit}")
    return found
