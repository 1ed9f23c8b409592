"""Statistics of a data file in the log, by which readers leave out files.

A bound that JSON cannot hold exactly, or that readers understand differently, is left out: no
bound is right for every query.

Source: Delta transaction log protocol, "Per-file Statistics".
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
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

    Structs, lists and maps have no statistics, binary values and truths only a count of nulls.
    """
    lows: dict[str, Any] = {}
    highs: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_nested(column.type):
            continue
        nulls[name] = column.null_count
        low, high = _bounds(column)
        if low is not None:
            lows[name] = low
        if high is not None:
            highs[name] = high
    return {
        "numRecords": table.num_rows,
        "minValues": lows,
        "maxValues": highs,
        "nullCount": nulls,
    }


def _bounds(column: Any) -> tuple[Any, Any]:
    kind = column.type
    types = pa.types
    if not (
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_string(kind)
        or types.is_timestamp(kind)
        or types.is_date32(kind)
    ):
        return None, None
    if types.is_timestamp(kind) or types.is_date32(kind):
        numbers = column.cast(pa.int64() if types.is_timestamp(kind) else pa.int32())
        return tuple(_day_or_moment(one, kind) for one in _least_and_greatest(numbers))  # type: ignore[return-value]
    low, high = _least_and_greatest(column)
    if types.is_string(kind):
        return _text_bounds(low, high)
    if types.is_floating(kind):
        # A value that is no number is greater than every number for some readers.
        if pc.any(pc.is_nan(column)).as_py():
            return None, None
        return _finite(low), _finite(high)
    return low, high


def _least_and_greatest(column: Any) -> tuple[Any, Any]:
    found = pc.min_max(column)
    return found["min"].as_py(), found["max"].as_py()


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _text_bounds(low: str | None, high: str | None) -> tuple[str | None, str | None]:
    if low is None or high is None:
        return None, None
    if len(high) <= LONGEST:
        return low[:LONGEST], high
    cut = high[:LONGEST]
    return low[:LONGEST], None if high[LONGEST] == _LAST else cut + _LAST


def _day_or_moment(number: int | None, kind: pa.DataType) -> str | None:
    if number is None:
        return None
    day = number if pa.types.is_date32(kind) else number // _DAY
    if not _FIRST_DAY <= day <= _LAST_DAY:
        return None
    if pa.types.is_date32(kind):
        return str(np.datetime64(day, "D"))
    moment = _EPOCH + timedelta(microseconds=number)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
