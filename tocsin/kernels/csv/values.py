"""Cells of CSV as columns of Avro types.

| type | cell |
|---|---|
| string | its text, whatever it looks like |
| int, long | a whole number; 3.0 is one |
| float, double | a number with a decimal point, `nan`, `inf` |
| boolean | `true` and `false` in any case, 1 and 0 |
| timestamp | ISO 8601 with a zone, or a whole number in the unit of the schema |
| others | as in JSON |

An empty cell is null where the type allows it. A quoted empty cell of a string is an empty text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.avro.columns import bounds, outside, times
from tocsin.kernels.avro.json_values import NoValueError, reader_of, shown
from tocsin.kernels.avro.program import base_of
from tocsin.kernels.avro.types import Leaf, logical_of
from tocsin.kernels.batch import TIMESTAMP, Int64s

Faults = list[tuple[int, str]]
# The plain forms, which Arrow and Python read alike.
_WHOLE = "^-?[0-9]+$"
_DECIMAL = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_NOT_FINITE = {"nan", "inf", "+inf", "-inf", "infinity", "-infinity"}


def column_of(texts: Any, is_quoted: Any, leaf: Leaf) -> tuple[Any, Faults]:
    """The column of a leaf, and the rows whose cell is no value of its type.

    Args:
        texts: the cells, strings without null.
        is_quoted: for each cell whether it has quotes, NumPy booleans.
        leaf: the column. Its type is no list, map or struct.
    """
    is_string = leaf.kind == "string"
    empty = pc.equal(texts, "").to_numpy(zero_copy_only=False)
    missing = empty & ~is_quoted if is_string else empty
    if is_string and not leaf.nullable:
        return texts, []
    if missing.any():
        texts = pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), texts)
    column, faults = _typed(texts, leaf)
    if missing.any() and not leaf.nullable:
        reason = "it is empty, and the schema needs a value"
        faults = sorted([*faults, *((row, reason) for row in np.flatnonzero(missing).tolist())])
    return column, faults


def _typed(texts: Any, leaf: Leaf) -> tuple[Any, Faults]:
    fast = _FAST.get(str(base_of(leaf.kind) if logical_of(leaf.kind) is None else "time"))
    if leaf.kind == "string":
        return texts, []
    if fast is not None:
        try:
            found = fast(texts, leaf)
        except (ValueError, OverflowError):
            found = None
        if found is not None:
            return found, []
    return _each(texts, leaf)


def _is_all(texts: Any, form: str) -> bool:
    return pc.all(pc.match_substring_regex(texts, form)).as_py() is not False


def _whole_numbers(texts: Any, leaf: Leaf) -> Any:
    return texts.cast(leaf.type) if _is_all(texts, _WHOLE) else None


def _floats(texts: Any, leaf: Leaf) -> Any:
    if not _is_all(texts, _DECIMAL):
        return None
    column = texts.cast(pa.float64()).cast(leaf.type, safe=False)
    return column if pc.all(pc.is_finite(column)).as_py() is not False else None


def _timestamps(texts: Any, leaf: Leaf) -> Any:
    if leaf.type != TIMESTAMP:
        return None
    logical = str(logical_of(leaf.kind))
    if _is_all(texts, _WHOLE):
        numbers = texts.cast(pa.int64())
    else:
        logical, numbers = "timestamp-micros", texts.cast(TIMESTAMP).view(pa.int64())
    values: Int64s = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    low, high, _ = bounds(logical)
    if outside(values, low, high) is not None:
        return None
    mask = numbers.is_null().to_numpy(zero_copy_only=False) if numbers.null_count else None
    return times(values, mask, logical, leaf.type)


_FAST: dict[str, Callable[[Any, Leaf], Any]] = {
    "int": _whole_numbers,
    "long": _whole_numbers,
    "float": _floats,
    "double": _floats,
    "time": _timestamps,
}


def _each(texts: Any, leaf: Leaf) -> tuple[Any, Faults]:
    """Reads each distinct cell once."""
    read = _reader(leaf.kind)
    encoded = pc.dictionary_encode(texts)
    values: list[Any] = []
    reasons: dict[int, str] = {}
    for text in encoded.dictionary.to_pylist():
        try:
            values.append(read(text))
        except (ValueError, ArithmeticError) as error:
            reasons[len(values)] = str(error)
            values.append(None)
    column = pa.array(values, leaf.type).take(encoded.indices)
    if not reasons:
        return column, []
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(np.isin(indices, list(reasons))).tolist()
    return column, [(row, reasons[int(indices[row])]) for row in rows]


def _reader(kind: Any) -> Callable[[str], Any]:
    read = reader_of(kind)
    base, logical = base_of(kind), logical_of(kind)
    if base == "boolean":
        return lambda text: read(_boolean(text))
    if base in ("string", "bytes", "fixed", "enum") or logical == "decimal":
        return read

    def number(text: str) -> Any:
        plain = text.strip()
        if base in ("float", "double") and plain.lower() in _NOT_FINITE:
            return float(plain)
        if _NUMBER.fullmatch(plain):
            return read(int(plain) if plain.lstrip("+-").isdigit() else Decimal(plain))
        if logical is not None:
            return read(plain)
        raise NoValueError(f"{shown(text)} is not a number{_hint(plain)}")

    return number


def _hint(text: str) -> str:
    comma = re.fullmatch(r"-?[0-9]+,[0-9]+", text)
    return "; its decimal sign is a comma, write a point" if comma else ""


def _boolean(text: str) -> Any:
    found = {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower())
    if found is None:
        raise NoValueError(f"{shown(text)} is neither true nor false")
    return found
