"""The type of an expression over a schema, and type errors."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa

from tocsin.kernels.batch import user_columns
from tocsin.kernels.domains.air_quality import molar_mass, table_of
from tocsin.kernels.expressions.syntax import Call, Column, Expression, ExpressionError, Literal
from tocsin.kernels.geo.space import check_resolution
from tocsin.kernels.time.calendar import boundaries
from tocsin.kernels.units import check_conversion, kind_of_unit

# Name: (kinds of the arguments, kind of the result). A last argument with * may repeat.
FUNCTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "+": (("number", "number"), "number"),
    "-": (("number", "number"), "number"),
    "*": (("number", "number"), "number"),
    "/": (("number", "number"), "double"),
    "%": (("number", "number"), "number"),
    "negate": (("number",), "number"),
    "and": (("boolean", "boolean"), "boolean"),
    "or": (("boolean", "boolean"), "boolean"),
    "not": (("boolean",), "boolean"),
    "==": (("same", "same"), "boolean"),
    "!=": (("same", "same"), "boolean"),
    "<": (("same", "same"), "boolean"),
    "<=": (("same", "same"), "boolean"),
    ">": (("same", "same"), "boolean"),
    ">=": (("same", "same"), "boolean"),
    "in": (("same", "same*"), "boolean"),
    "is_null": (("any",), "boolean"),
    "is_valid": (("any",), "boolean"),
    "is_nan": (("number",), "boolean"),
    "is_finite": (("number",), "boolean"),
    "abs": (("number",), "number"),
    "sqrt": (("number",), "double"),
    "exp": (("number",), "double"),
    "ln": (("number",), "double"),
    "log10": (("number",), "double"),
    "power": (("number", "number"), "double"),
    "sin": (("number",), "double"),
    "cos": (("number",), "double"),
    "round": (("number",), "double"),
    "floor": (("number",), "double"),
    "ceil": (("number",), "double"),
    "least": (("number", "number*"), "number"),
    "greatest": (("number", "number*"), "number"),
    "coalesce": (("same", "same*"), "same"),
    "if": (("boolean", "same", "same"), "same"),
    "lower": (("text",), "text"),
    "upper": (("text",), "text"),
    "length": (("text",), "integer"),
    "starts_with": (("text", "text"), "boolean"),
    "contains": (("text", "text"), "boolean"),
    "concat": (("text", "text*"), "text"),
    "hour": (("time",), "integer"),
    "weekday": (("time",), "integer"),
    "local_hour": (("time", "text"), "integer"),
    "local_weekday": (("time", "text"), "integer"),
    "seconds": (("time",), "double"),
    "number": (("any",), "double"),
    "dew_point": (("number", "number"), "double"),
    "vapour_pressure": (("number", "number"), "double"),
    "relative_humidity": (("number", "number"), "double"),
    "heat_index": (("number", "number"), "double"),
    "humidex": (("number", "number"), "double"),
    "wind_chill": (("number", "number"), "double"),
    "air_quality_index": (("text", "text", "number"), "double"),
    "aqhi": (("number", "number", "number"), "double"),
    "purpleair_pm25": (("number", "number"), "double"),
    "micrograms_of_ppb": (("text", "number", "number", "number"), "double"),
    "ppb_of_micrograms": (("text", "number", "number", "number"), "double"),
    "unit": (("number", "text"), "number"),
    "convert": (("number", "text", "text"), "double"),
    "h3_cell": (("number", "number", "number"), "text"),
    "cell_latitude": (("text",), "double"),
    "cell_longitude": (("text",), "double"),
    "distance": (("number", "number", "number", "number"), "double"),
    "counter_increase": (("number", "number", "number", "number", "number"), "double"),
    "level_of_service": (("number",), "text"),
    "text": (("any",), "text"),
}
# Functions with text arguments that must be constants: their positions, and the check of them.
_WORDS: dict[str, tuple[int, int, Callable[..., object]]] = {
    "air_quality_index": (0, 2, table_of),
    "micrograms_of_ppb": (0, 1, molar_mass),
    "ppb_of_micrograms": (0, 1, molar_mass),
    "unit": (1, 2, kind_of_unit),
    "convert": (1, 3, check_conversion),
    "local_hour": (1, 2, partial(boundaries, "month")),
    "local_weekday": (1, 2, partial(boundaries, "month")),
}
_RESULTS = {
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "integer": pa.int64(),
}


def suggestion(name: str, known: list[str]) -> str:
    """`, did you mean '…'?` if a known name is similar, otherwise an empty text."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f", did you mean '{near[0]}'?" if near else ""


def unknown_column(name: str, schema: pa.Schema) -> str:
    """The sentence for a column that a schema lacks, with a suggestion and all columns."""
    names = user_columns(schema)
    return f"no column '{name}' in its input{suggestion(name, names)} (columns: {', '.join(names)})"


def kind_of(type_: Any) -> str:
    """The kind of an Arrow type: number, text, boolean, time, null or other."""
    if pa.types.is_dictionary(type_):
        return kind_of(type_.value_type)
    if pa.types.is_null(type_):
        return "null"
    if pa.types.is_boolean(type_):
        return "boolean"
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "number"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "text"
    return "time" if pa.types.is_timestamp(type_) or pa.types.is_date(type_) else "other"


def type_of(expression: Expression, schema: pa.Schema) -> Any:
    """The Arrow type of an expression's result.

    Raises:
        ExpressionError: for an unknown column or function, a wrong type or a wrong number of
            arguments.
    """
    if isinstance(expression, Literal):
        return _literal_type(expression.value)
    if isinstance(expression, Column):
        if expression.name not in schema.names:
            raise ExpressionError(unknown_column(expression.name, schema), expression.at)
        return schema.field(expression.name).type
    return _call_type(expression, [type_of(argument, schema) for argument in expression.arguments])


def _literal_type(value: object) -> Any:
    if value is None:
        return pa.null()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.int64()
    return pa.float64() if isinstance(value, float) else pa.string()


def _call_type(call: Call, types: list[Any]) -> Any:
    if call.function not in FUNCTIONS:
        names = [name for name in FUNCTIONS if name.isidentifier()]
        raise ExpressionError(
            f"no function '{call.function}'{suggestion(call.function, names)}", call.at
        )
    if call.named:
        raise ExpressionError(f"'{call.function}' takes no named arguments", call.at)
    wanted, result = FUNCTIONS[call.function]
    kinds = _argument_kinds(call, wanted, len(types))
    shared = _shared_type(call, types, kinds)
    _check_literals(call)
    if result == "same":
        return shared
    if result == "number":
        widest = types[0]
        for type_, kind in zip(types[1:], kinds[1:], strict=True):
            widest = _wider(widest, type_) if kind == "number" else widest
        return widest
    return _RESULTS[result]


def _argument_kinds(call: Call, wanted: tuple[str, ...], count: int) -> list[str]:
    """The kind of each argument, with the last one repeated as far as necessary."""
    repeats = wanted[-1].endswith("*")
    if count < len(wanted) or (count > len(wanted) and not repeats):
        least = f"at least {len(wanted)}" if repeats else str(len(wanted))
        raise ExpressionError(f"'{call.function}' takes {least} arguments, found {count}", call.at)
    return [wanted[min(at, len(wanted) - 1)].rstrip("*") for at in range(count)]


def _shared_type(call: Call, types: list[Any], kinds: list[str]) -> Any:
    """The common type of the arguments of kind `same`, null without any."""
    shared = pa.null()
    for type_, want in zip(types, kinds, strict=True):
        kind, common = kind_of(type_), kind_of(shared)
        if want == "same":
            if common == "null":
                shared = type_
            elif kind not in ("null", common) and {kind, common} != {"time", "text"}:
                raise ExpressionError(f"'{call.function}' compares {common} with {kind}", call.at)
            elif "number" == kind == common:
                shared = _wider(shared, type_)
        elif want != "any" and kind not in (want, "null"):
            raise ExpressionError(f"'{call.function}' takes a {want}, found a {kind}", call.at)
    return shared


def _check_literals(call: Call) -> None:
    """Check the arguments of a function that must be constants, such as an edition or a unit."""
    if call.function == "h3_cell":
        resolution = call.arguments[2]
        try:
            check_resolution(resolution.value if isinstance(resolution, Literal) else None)
        except ValueError as error:
            raise ExpressionError(str(error), resolution.at) from None
    if call.function not in _WORDS:
        return
    first, last, check = _WORDS[call.function]
    words = call.arguments[first:last]
    texts = [
        word.value for word in words if isinstance(word, Literal) and isinstance(word.value, str)
    ]
    if len(texts) < last - first:
        raise ExpressionError(
            f"'{call.function}' takes words that are written out, such as 'us-2024'", call.at
        )
    try:
        check(*texts)
    except ValueError as error:
        raise ExpressionError(str(error), words[0].at) from None


def _wider(one: Any, other: Any) -> Any:
    if pa.types.is_null(one):
        return other
    return pa.float64() if pa.types.is_floating(one) or pa.types.is_floating(other) else pa.int64()
