"""The unit and averaging period of an expression, as far as they are known, and unit mismatches."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from tocsin.kernels.batch import traits, with_traits
from tocsin.kernels.domains.air_quality import table_of
from tocsin.kernels.expressions.syntax import Call, Column, Expression, ExpressionError, Literal
from tocsin.kernels.time.durations import format_duration
from tocsin.kernels.units import kind_of_unit

_HOUR = 3_600_000_000


@dataclass(frozen=True)
class Quantity:
    """What a column measures.

    Attributes:
        unit: UCUM code, or None if unknown.
        period: averaging time in microseconds, or None if unknown.
    """

    unit: str | None = None
    period: int | None = None


UNKNOWN = Quantity()

# Units of the arguments and of the result. None: any unit, or a text argument.
_FUNCTIONS: dict[str, tuple[tuple[str | None, ...], str | None]] = {
    "dew_point": (("Cel", "%"), "Cel"),
    "heat_index": (("Cel", "%"), "Cel"),
    "humidex": (("Cel", "%"), "Cel"),
    "wind_chill": (("Cel", "km/h"), "Cel"),
    "vapour_pressure": (("Cel", "%"), "hPa"),
    "relative_humidity": (("Cel", "hPa"), "%"),
    "aqhi": (("[ppb]", "[ppb]", "ug/m3"), "1"),
    "purpleair_pm25": (("ug/m3", "%"), "ug/m3"),
    "micrograms_of_ppb": ((None, "[ppb]", "Cel", "hPa"), "ug/m3"),
    "ppb_of_micrograms": ((None, "ug/m3", "Cel", "hPa"), "[ppb]"),
}
# Functions whose result has the unit of the arguments from this position on.
_ALIKE = {
    "+": 0,
    "-": 0,
    "least": 0,
    "greatest": 0,
    "coalesce": 0,
    "if": 1,
    "abs": 0,
    "negate": 0,
    "round": 0,
}
_COMPARE = ("==", "!=", "<", "<=", ">", ">=")


def quantity_of(expression: Expression, schema: pa.Schema) -> Quantity:
    """The unit and averaging period of an expression.

    Raises:
        ExpressionError: if units or periods of arguments do not match.
    """
    if isinstance(expression, Literal):
        return UNKNOWN
    known = traits(schema)
    if isinstance(expression, Column):
        return Quantity(known.units.get(expression.name), known.periods.get(expression.name))
    name = expression.function
    arguments = [quantity_of(argument, schema) for argument in expression.arguments]
    if name in ("unit", "convert"):
        return _declared(expression, arguments[0])
    if name == "air_quality_index":
        return _index(expression, arguments[2])
    if name in _FUNCTIONS:
        wanted, unit = _FUNCTIONS[name]
        for argument, found, want in zip(expression.arguments, arguments, wanted, strict=True):
            _demand(name, argument, found.unit, want)
        return Quantity(unit, _shared([one.period for one in arguments]))
    if name in _ALIKE or name in _COMPARE:
        return _alike(expression, arguments, _ALIKE.get(name, 0))
    return UNKNOWN


def with_measured(schema: pa.Schema, found: dict[str, Quantity]) -> pa.Schema:
    """The schema with new units and averaging periods of some columns.

    Their descriptions are dropped, because these columns have new values.
    """
    known = traits(schema)
    units = {name: unit for name, unit in known.units.items() if name not in found}
    periods = {name: period for name, period in known.periods.items() if name not in found}
    units |= {name: one.unit for name, one in found.items() if one.unit is not None}
    periods |= {name: one.period for name, one in found.items() if one.period is not None}
    described = {name: text for name, text in known.descriptions.items() if name not in found}
    return with_traits(schema, units=units, periods=periods, descriptions=described)


def _shared(periods: list[int | None]) -> int | None:
    known = {one for one in periods if one is not None}
    return known.pop() if len(known) == 1 else None


def _text(expression: Expression) -> str:
    return expression.name if isinstance(expression, Column) else "its argument"


def _word(call: Call, at: int) -> str:
    word = call.arguments[at]
    return str(word.value) if isinstance(word, Literal) else ""


def _demand(name: str, argument: Expression, found: str | None, wanted: str | None) -> None:
    if found is None or wanted is None or found == wanted:
        return
    text = f"'{name}' takes {wanted}, and {_text(argument)} is in {found}"
    if kind_of_unit(found) == kind_of_unit(wanted):
        text += f"; write convert({_text(argument)}, '{found}', '{wanted}')"
    raise ExpressionError(text, argument.at)


def _declared(call: Call, given: Quantity) -> Quantity:
    source = _word(call, 1)
    if given.unit is not None and given.unit != source:
        raise ExpressionError(
            f"{_text(call.arguments[0])} is in {given.unit}, not in {source}", call.arguments[0].at
        )
    return Quantity(source if call.function == "unit" else _word(call, 2), given.period)


def _index(call: Call, given: Quantity) -> Quantity:
    """The quantity of an index. Checks the unit and period of the edition's table."""
    pollutant = _word(call, 1)
    table = table_of(_word(call, 0), pollutant)
    unit = {"ppb": "[ppb]", "ppm": "[ppm]"}.get(table["unit"], table["unit"])
    _demand(f"air_quality_index of {pollutant}", call.arguments[2], given.unit, unit)
    hours = re.search(r"_(\d+)h$", pollutant)
    if given.period is not None and hours is not None and given.period != int(hours[1]) * _HOUR:
        raise ExpressionError(
            f"air_quality_index of {pollutant} takes a mean of {hours[1]} h, "
            f"and {_text(call.arguments[2])} is one of {format_duration(given.period)}",
            call.arguments[2].at,
        )
    return Quantity("1", given.period)


def _alike(call: Call, arguments: list[Quantity], first: int) -> Quantity:
    unit: str | None = None
    for argument, found in zip(call.arguments[first:], arguments[first:], strict=True):
        if found.unit is None:
            continue
        if unit is not None and found.unit != unit:
            raise ExpressionError(f"'{call.function}' of {unit} and {found.unit}", argument.at)
        unit = found.unit
    if call.function in _COMPARE:
        return UNKNOWN
    return Quantity(unit, _shared([one.period for one in arguments[first:]]))
