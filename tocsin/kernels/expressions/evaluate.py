"""Evaluation of an expression over a batch by Arrow compute functions.

Null arguments give null. Exceptions are `and` and `or` (three-valued logic), `is null`, `coalesce`,
and `if`, which takes its third argument for a null condition. Division by zero gives infinity or
NaN, as in floating point; the remainder of integers by zero is null. Integers wrap around on
overflow, and become the nearest double where a double is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels import units
from tocsin.kernels.batch import TIMESTAMP
from tocsin.kernels.domains import air_quality, climate, network, traffic
from tocsin.kernels.expressions.syntax import Column, Expression, Literal
from tocsin.kernels.expressions.typing import FUNCTIONS, kind_of, type_of
from tocsin.kernels.geo import space

# Bytes of text that one call may make: a chain of concat(c, c) doubles it at each step.
_MOST_TEXT = 256 << 20
# The functions whose numbers have one type.
_MIXED = {
    "+", "-", "*", "%", "==", "!=", "<", "<=", ">", ">=", "in", "coalesce", "if", "least",
    "greatest",
}  # fmt: skip


class TooMuchText(ValueError):
    """A call that would make more text than the memory holds."""


def evaluate(expression: Expression, batch: pa.RecordBatch) -> Any:
    """The expression's column: one value for each row, of the type that `type_of` gives.

    Args:
        expression: an expression that `type_of` accepts for the batch's schema.
        batch: the rows.
    """
    value = _value(expression, batch)
    wanted = type_of(expression, batch.schema)
    if isinstance(value, pa.Scalar):
        value = pa.repeat(value.cast(wanted), batch.num_rows)
    return value if value.type == wanted else value.cast(wanted)


def _value(expression: Expression, batch: pa.RecordBatch) -> Any:
    if isinstance(expression, Literal):
        return pa.scalar(expression.value)
    if isinstance(expression, Column):
        column = batch.column(expression.name)
        return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    arguments = [_value(argument, batch) for argument in expression.arguments]
    return _FUNCTIONS[expression.function](*_agree(expression.function, arguments))


def _agree(function: str, arguments: list[Any]) -> list[Any]:
    """The arguments cast to common types: mixed numbers to double, text with a time to a time."""
    kinds = [kind_of(a.type) for a in arguments]
    if "time" in kinds and "text" in kinds and "same" in FUNCTIONS[function][0]:
        times = next(a.type for a, kind in zip(arguments, kinds, strict=True) if kind == "time")
        return [
            a.cast(times) if kind == "text" else a for a, kind in zip(arguments, kinds, strict=True)
        ]
    # Arrow itself would refuse an integer beyond 2**53 next to a double.
    if function in _MIXED and any(pa.types.is_floating(a.type) for a in arguments):
        return [
            _double(a) if kind == "number" else a for a, kind in zip(arguments, kinds, strict=True)
        ]
    return arguments


def _double(value: Any) -> Any:
    # A long of a sensor may lie beyond 2**53: the nearest double, and no error.
    return value.cast(pa.float64(), safe=not pa.types.is_integer(value.type))


def _is_in(value: Any, *items: Any) -> Any:
    return pc.is_in(value, value_set=pa.array([item.as_py() for item in items], value.type))


def _choose(condition: Any, yes: Any, no: Any) -> Any:
    return pc.if_else(pc.fill_null(condition, False), yes, no)


def _modulo(left: Any, right: Any) -> Any:
    if pa.types.is_integer(left.type) and pa.types.is_integer(right.type):
        return _whole_modulo(left, right)
    floored = pc.floor(pc.divide(_double(left), _double(right)))
    return pc.subtract(left, pc.multiply(floored, right))


def _whole_modulo(left: Any, right: Any) -> Any:
    """The remainder of integers, exact, with the sign of `right`; null for a remainder by 0."""
    # Arrow's quotient by 0 is an error, and that of the least integer by -1 is none.
    divisor = pc.if_else(pc.equal(right, 0), pa.scalar(None, right.type), right)
    if pa.types.is_signed_integer(right.type):
        divisor = pc.if_else(pc.equal(divisor, -1), pa.scalar(1, right.type), divisor)
    rest = pc.subtract(left, pc.multiply(pc.divide(left, divisor), divisor))
    is_other_sign = pc.and_(
        pc.not_equal(rest, 0), pc.not_equal(pc.less(rest, 0), pc.less(divisor, 0))
    )
    return pc.if_else(is_other_sign, pc.add(rest, divisor), rest)


def _concat(*parts: Any) -> Any:
    columns = [part for part in parts if isinstance(part, pa.Array | pa.ChunkedArray)]
    rows = max((len(column) for column in columns), default=1)
    constants = sum(len(part.as_py() or "") for part in parts if isinstance(part, pa.Scalar))
    size = sum(column.nbytes for column in columns) + rows * constants
    if size > _MOST_TEXT:
        # In brackets, the command finds the sentence in a worker's traceback (foundation.failure).
        raise TooMuchText(
            f"[[concat makes {size >> 20:,} MiB of text from a batch of {rows:,} rows; "
            f"at most {_MOST_TEXT >> 20} MiB]]"
        )
    return pc.binary_join_element_wise(*parts, "")


def _contains(value: Any, part: Any) -> Any:
    return pc.match_substring(value, part.as_py())


def _starts_with(value: Any, part: Any) -> Any:
    return pc.starts_with(value, part.as_py())


def _number(value: Any) -> Any:
    if pa.types.is_boolean(value.type):
        return value.cast(pa.int8()).cast(pa.float64())
    return _number_of_text(value) if pa.types.is_string(value.type) else _double(value)


def _number_of_text(value: Any) -> Any:
    """Null for a text that is no number: a sensor's text ends no job."""
    try:
        return value.cast(pa.float64())
    except pa.ArrowInvalid:
        if isinstance(value, pa.Scalar):
            return pa.scalar(None, pa.float64())
    encoded = pc.dictionary_encode(value)
    numbers = [_number_of_text(text).as_py() for text in encoded.dictionary]
    return pc.take(pa.array(numbers, pa.float64()), encoded.indices)


def _seconds(value: Any) -> Any:
    return pc.divide(_double(value.cast(TIMESTAMP).cast(pa.int64())), 1e6)


def _local(value: Any, zone: Any) -> Any:
    return value.cast(pa.timestamp("us", tz=zone.as_py()))


def _formula(formula: Callable[..., Any]) -> Callable[..., Any]:
    """A formula over NumPy columns as a function of Arrow columns. Null is NaN in between."""

    def run(*arguments: Any) -> Any:
        given = [
            one.as_py() if pa.types.is_string(one.type) else _numbers(one) for one in arguments
        ]
        found = np.asarray(formula(*given), np.float64)
        return pa.array(found, mask=np.isnan(found)) if found.ndim else pa.scalar(float(found))

    return run


def _numbers(value: Any) -> Any:
    if isinstance(value, pa.Scalar):
        return np.nan if value.as_py() is None else float(value.as_py())
    return _double(value).fill_null(np.nan).to_numpy(zero_copy_only=False)


def _counter_increase(now: Any, before: Any, *others: Any) -> Any:
    """`counter_increase` of two integer columns without doubles in between."""
    if not (_is_count(now) and _is_count(before) and now.type == before.type):
        return _formula(network.counter_increase)(now, before, *others)
    counts = [one.fill_null(0).to_numpy(zero_copy_only=False) for one in (now, before)]
    found = network.counter_increase(*counts, *map(_numbers, others))
    known = pc.and_(now.is_valid(), before.is_valid()).to_numpy(zero_copy_only=False)
    return pa.array(found, mask=np.isnan(found) | ~known)


def _is_count(value: Any) -> bool:
    return not isinstance(value, pa.Scalar) and value.type in (pa.int64(), pa.uint64())


def _cell(latitude: Any, longitude: Any, resolution: Any) -> Any:
    north, east = np.broadcast_arrays(
        np.atleast_1d(_numbers(latitude)), np.atleast_1d(_numbers(longitude))
    )
    found = space.cells(north, east, resolution.as_py())
    return (
        found[0] if isinstance(latitude, pa.Scalar) and isinstance(longitude, pa.Scalar) else found
    )


def _centre(axis: int) -> Callable[[Any], Any]:
    """A function that gives the latitude (0) or longitude (1) of cell centres."""

    def run(cells: Any) -> Any:
        names = pa.array([cells.as_py()], pa.string()) if isinstance(cells, pa.Scalar) else cells
        found = space.cell_centre(names)[axis]
        column = pa.array(found, mask=np.isnan(found))
        return column[0] if isinstance(cells, pa.Scalar) else column

    return run


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": pc.add,
    "-": pc.subtract,
    "*": pc.multiply,
    "/": lambda left, right: pc.divide(_double(left), _double(right)),
    "%": _modulo,
    "negate": pc.negate,
    "and": pc.and_kleene,
    "or": pc.or_kleene,
    "not": pc.invert,
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "in": _is_in,
    "is_null": pc.is_null,
    "is_valid": pc.is_valid,
    "is_nan": lambda value: pc.is_nan(_double(value)),
    "is_finite": lambda value: pc.is_finite(_double(value)),
    "abs": pc.abs,
    "sqrt": lambda value: pc.sqrt(_double(value)),
    "exp": lambda value: pc.exp(_double(value)),
    "ln": lambda value: pc.ln(_double(value)),
    "log10": lambda value: pc.log10(_double(value)),
    "power": lambda base, exponent: pc.power(_double(base), _double(exponent)),
    "sin": lambda value: pc.sin(_double(value)),
    "cos": lambda value: pc.cos(_double(value)),
    "round": lambda value: pc.round(_double(value)),
    "floor": lambda value: pc.floor(_double(value)),
    "ceil": lambda value: pc.ceil(_double(value)),
    "least": lambda *values: pc.min_element_wise(*values, skip_nulls=False),
    "greatest": lambda *values: pc.max_element_wise(*values, skip_nulls=False),
    "coalesce": pc.coalesce,
    "if": _choose,
    "lower": pc.utf8_lower,
    "upper": pc.utf8_upper,
    "length": pc.utf8_length,
    "starts_with": _starts_with,
    "contains": _contains,
    "concat": _concat,
    "hour": pc.hour,
    "weekday": pc.day_of_week,
    "local_hour": lambda value, zone: pc.hour(_local(value, zone)),
    "local_weekday": lambda value, zone: pc.day_of_week(_local(value, zone)),
    "seconds": _seconds,
    "number": _number,
    "dew_point": _formula(climate.dew_point),
    "vapour_pressure": _formula(climate.vapour_pressure),
    "relative_humidity": _formula(climate.relative_humidity),
    "heat_index": _formula(climate.heat_index),
    "humidex": _formula(climate.humidex),
    "wind_chill": _formula(climate.wind_chill),
    "air_quality_index": _formula(air_quality.air_quality_index),
    "aqhi": _formula(air_quality.aqhi),
    "purpleair_pm25": _formula(air_quality.purpleair_pm25),
    "micrograms_of_ppb": _formula(air_quality.micrograms_of_ppb),
    "ppb_of_micrograms": _formula(air_quality.ppb_of_micrograms),
    "unit": lambda value, _: value,
    "convert": _formula(units.convert),
    "h3_cell": _cell,
    "cell_latitude": _centre(0),
    "cell_longitude": _centre(1),
    "distance": _formula(space.distance),
    "counter_increase": _counter_increase,
    "level_of_service": lambda density: traffic.level_of_service(_double(density)),
    "text": lambda value: value.cast(pa.string()),
}
