"""Values of JSON, in messages and in a schema's defaults, as Python values of an Avro type.

Numbers keep their meaning: a fraction is no integer, `true` is no number, and a number in the place
of a time is in the unit of the schema. Text in the place of a time is ISO 8601 with a zone.

| Avro | in a message | as a default |
|---|---|---|
| bytes, fixed | text, in UTF-8 | text; each character is a byte |
| decimal | a number, or its text | text; each character is a byte |
| union | a value of one of its types | a value of its types |
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from tocsin.kernels.avro.columns import bounds
from tocsin.kernels.avro.program import base_of
from tocsin.kernels.avro.types import NO_DEFAULT, arrow_type, logical_of, without_null

Convert = Callable[[Any], Any]
_SHOWN = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGERS = {"int": 2**31, "long": 2**63}


class NoValueError(ValueError):
    """A value of JSON that the schema's type does not have."""


def shown(value: Any) -> str:
    """A value in a sentence, cut if it is long."""
    text = str(value) if isinstance(value, int | float | Decimal) else repr(value)
    text = {"True": "true", "False": "false", "None": "null"}.get(text, text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def reader_of(kind: Any, is_default: bool = False) -> Convert:
    """A function from a value of JSON to the Python value that Arrow takes for an Avro type.

    The function raises ValueError for a value that the type does not have.
    """
    inner, optional = without_null(kind)
    if inner == "null":
        return _nothing
    convert = _reader(inner, is_default)

    def read(value: Any) -> Any:
        if value is None:
            if optional:
                return None
            raise NoValueError("it is null, and the schema needs a value")
        return convert(value)

    return read


def scalar(kind: Any, default: Any) -> pa.Scalar:
    """A schema's default as an Arrow scalar.

    Raises:
        ValueError: if the type does not have this value.
    """
    inner, _ = without_null(kind)
    value = None if default is None else reader_of(inner, is_default=True)(default)
    return pa.array([value], arrow_type(inner))[0]


def _nothing(value: Any) -> None:
    if value is not None:
        raise NoValueError(f"{shown(value)} is not null")


def _reader(kind: Any, is_default: bool) -> Convert:
    logical, base = logical_of(kind), base_of(kind)
    if logical == "decimal":
        return _decimal(kind, is_default)
    if logical is not None:
        return _time(logical)
    if base == "record":
        return _record(kind, is_default)
    if base == "array":
        return _array(reader_of(kind["items"], is_default))
    if base == "map":
        return _map(reader_of(kind["values"], is_default))
    if base == "enum":
        return _enum(kind)
    if base in ("bytes", "fixed"):
        return _bytes(kind["size"] if base == "fixed" else None, is_default)
    if base in _INTEGERS:
        return _integer(_INTEGERS[base])
    return {"boolean": _boolean, "string": _string, "float": _single, "double": _float}[base]


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise NoValueError(f"{shown(value)} is neither true nor false")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise NoValueError(f"{shown(value)} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NoValueError("half of a UTF-16 pair is no text") from None
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise NoValueError(f"{shown(value)} is not a number")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise NoValueError(f"{shown(value)} is too large for a number of 64 bits")
    return found


def _single(value: Any) -> float:
    found = _float(value)
    # From here on, rounding to 32 bits gives infinity.
    if abs(found) >= (2 - 2**-24) * 2.0**127:
        raise NoValueError(f"{shown(value)} is too large for a number of 32 bits")
    return found


def whole(value: Any, name: str = "an integer") -> int:
    """A number of JSON as an integer. 3.0 is one; 3.7 and true are not."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise NoValueError(f"{shown(value)} is not {name}")
    if isinstance(value, int):
        return value
    number: Any = value
    if not math.isfinite(number) or abs(number) > 2**63 or number != int(number):
        raise NoValueError(f"{shown(value)} is not {name}")
    return int(number)


def _integer(limit: int) -> Convert:
    bits = limit.bit_length()

    def read(value: Any) -> int:
        found = whole(value)
        if not -limit <= found < limit:
            raise NoValueError(f"{shown(value)} does not fit an integer of {bits} bits")
        return found

    return read


def _bytes(size: int | None, is_default: bool) -> Convert:
    def read(value: Any) -> bytes:
        text = _string(value)
        try:
            found = text.encode("latin-1" if is_default else "utf-8")
        except UnicodeEncodeError:
            raise NoValueError(f"{shown(value)} has characters beyond \\u00ff") from None
        if size is not None and len(found) != size:
            raise NoValueError(f"{shown(value)} has {len(found)} bytes, and the type has {size}")
        return found

    return read


def _decimal(kind: Any, is_default: bool) -> Convert:
    precision, scale = kind["precision"], kind.get("scale", 0)

    def read(value: Any) -> Decimal:
        if is_default:
            units = int.from_bytes(_bytes(None, True)(value), "big", signed=True)
            found = Decimal(units).scaleb(-scale)
        else:
            if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
                raise NoValueError(f"{shown(value)} is not a decimal")
            try:
                found = Decimal(str(value))
            except InvalidOperation:
                raise NoValueError(f"{shown(value)} is not a decimal") from None
        if not _fits(found, precision, scale):
            raise NoValueError(
                f"{shown(value)} does not fit {precision} digits, {scale} of them decimals"
            )
        # Arrow takes a decimal only with the digits of its type.
        return found.quantize(Decimal((0, (1,), -scale)), context=Context(prec=80))

    return read


def _fits(value: Decimal, precision: int, scale: int) -> bool:
    if not value.is_finite():
        return False
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if not any(digits):
        return True
    text = "".join(map(str, digits))
    exponent += len(text) - len(text.rstrip("0"))
    significant = len(text.strip("0"))
    return exponent >= -scale and significant + exponent + scale <= precision


def _enum(kind: Any) -> Convert:
    symbols, default = set(kind["symbols"]), kind.get("default")

    def read(value: Any) -> str:
        if _string(value) in symbols:
            return str(value)
        if default is None:
            raise NoValueError(f"{shown(value)} is not a symbol of the enum")
        return str(default)

    return read


def _array(item: Convert) -> Convert:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise NoValueError(f"{shown(value)} is not a list")
        return [item(one) for one in value]

    return read


def _map(item: Convert) -> Convert:
    def read(value: Any) -> list[tuple[str, Any]]:
        if not isinstance(value, dict):
            raise NoValueError(f"{shown(value)} is not an object")
        return [(_string(key), item(one)) for key, one in value.items()]

    return read


def _record(kind: Any, is_default: bool) -> Convert:
    members = [
        (field["name"], reader_of(field["type"], is_default), field.get("default", NO_DEFAULT))
        for field in kind["fields"]
    ]
    defaults = {
        field["name"]: reader_of(field["type"], is_default=True) for field in kind["fields"]
    }

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise NoValueError(f"{shown(value)} is not an object")
        found = {}
        for name, convert, default in members:
            if name in value or default is NO_DEFAULT:
                with_name = value.get(name)
                found[name] = named(convert, with_name, name)
            else:
                found[name] = defaults[name](default)
        return found

    return read


def named(convert: Convert, value: Any, name: str) -> Any:
    """A converted value; an error says which member it was."""
    try:
        return convert(value)
    except ValueError as error:
        inner = str(error)
        path = re.match(r"'([^']*)': ", inner)
        if path is not None:
            raise NoValueError(f"'{name}.{path[1]}': {inner[path.end() :]}") from None
        raise NoValueError(f"'{name}': {inner}") from None


def _time(logical: str) -> Convert:
    low, high, sentence = bounds(logical)
    name = {"date": "date", "time": "time of day"}.get(logical.partition("-")[0], "time")
    parse = _days if logical == "date" else _micros(logical)
    factor = {"millis": (1000, 1), "nanos": (1, 1000)}.get(logical.rpartition("-")[2], (1, 1))

    def read(value: Any) -> int:
        if isinstance(value, str):
            try:
                return parse(value)
            except NoValueError:
                raise
            except ValueError:
                raise NoValueError(f"{shown(value)} is no ISO 8601 text of a {name}") from None
        number = whole(value, "a whole number of the schema's unit, nor an ISO 8601 text")
        if not low <= number <= high:
            raise NoValueError(f"{shown(value)} {sentence}")
        return number * factor[0] // factor[1]

    return read


def _days(value: str) -> int:
    return (date.fromisoformat(value) - _EPOCH.date()).days


def _micros(logical: str) -> Callable[[str], int]:
    def of_day(value: str) -> int:
        found = time.fromisoformat(value)
        if found.tzinfo is not None:
            raise NoValueError(f"'{value}' has a time zone, and a time of day has none")
        seconds = (found.hour * 60 + found.minute) * 60 + found.second
        return seconds * 1_000_000 + found.microsecond

    def instant(value: str) -> int:
        found = datetime.fromisoformat(value)
        is_local = logical.startswith("local")
        if is_local != (found.tzinfo is None):
            raise NoValueError(f"'{value}' has {'a' if is_local else 'no'} time zone")
        past = (found.replace(tzinfo=UTC) if is_local else found) - _EPOCH
        micros = (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds
        # 23:59:59 on the last day, two hours west, is a day without a date in UTC.
        if not bounds("timestamp-micros")[0] <= micros <= bounds("timestamp-micros")[1]:
            raise NoValueError(f"'{value}' is beyond the years 1 to 9999 in UTC")
        return micros

    return of_day if logical.startswith("time-") else instant
