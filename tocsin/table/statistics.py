"""Statistics of a data file in the log, by which readers leave out files.

Each column has bounds in every file that has a value of it: where a file lacks them, a reader
(deltalake's own for pyarrow) leaves out the file. Bounds of times are within the years 1 to 9999.
Where a column holds a NaN, its bounds are the infinities, so that no comparison is decided by them.

Source: Delta transaction log protocol, "Per-file Statistics".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Longer texts are cut, which still gives bounds.
LONGEST = 32
_LAST = "\U0010ffff"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""Days since 1970 of 0001-01-01 and 9999-12-31."""
_DAY = 86_400_000_000


def statistics_of(table: Any) -> dict[str, Any]:
    """`numRecords`, and by column `minValues`, `maxValues` and `nullCount`.

    Structs, lists and maps have no statistics, binary values only a count of nulls. A column of
    nulls has no bounds.
    """
    lows: dict[str, Any] = {}
    highs: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_nested(column.type):
            continue
        nulls[name] = column.null_count
        bounds = _bounds(column)
        if bounds is not None:
            lows[name], highs[name] = bounds
    return {
        "numRecords": table.num_rows,
        "minValues": lows,
        "maxValues": highs,
        "nullCount": nulls,
    }


def _bounds(column: Any) -> tuple[Any, Any] | None:
    kind, types = column.type, pa.types
    if types.is_binary(kind) or column.null_count == len(column):
        return None
    if types.is_timestamp(kind) or types.is_date32(kind):
        column = column.cast(pa.int64() if types.is_timestamp(kind) else pa.int32())
    if types.is_floating(kind) and pc.any(pc.is_nan(column)).as_py():
        return "-Infinity", "Infinity"
    found = pc.min_max(column)
    low, high = found["min"].as_py(), found["max"].as_py()
    if types.is_string(kind):
        return low[:LONGEST], _at_least(high)
    text = next((text for is_kind, text in _TEXTS if is_kind(kind)), None)
    return (low, high) if text is None else (text(low), text(high))


def _at_least(text: str) -> str:
    """A text that is not less and is short, if one is."""
    for end in range(LONGEST, len(text)):
        if text[end] != _LAST:
            return text[:end] + _LAST
    return text


def _day(number: int) -> str:
    return str(np.datetime64(min(max(number, _FIRST_DAY), _LAST_DAY), "D"))


def _moment(number: int) -> str:
    limited = min(max(number, _FIRST_DAY * _DAY), (_LAST_DAY + 1) * _DAY - 1)
    moment = _EPOCH + timedelta(microseconds=limited)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _fraction(number: float) -> float | str:
    if math.isfinite(number):
        return number
    return "Infinity" if number > 0 else "-Infinity"


def _decimal(number: Decimal) -> str:
    return f"{number:f}"


_TEXTS: list[tuple[Callable[[Any], bool], Callable[[Any], Any]]] = [
    (pa.types.is_timestamp, _moment),
    (pa.types.is_date32, _day),
    (pa.types.is_floating, _fraction),
    (pa.types.is_decimal, _decimal),
]
