"""The measures of an Aggregate step: fold rows, merge partial results, finish columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from tocsin.foundation.failure import UnknownPart
from tocsin.foundation.faults import Fault
from tocsin.kernels.aggregation.accumulators import ACCUMULATORS
from tocsin.kernels.batch import Int64s, timestamps
from tocsin.kernels.expressions import Call, Expression, ExpressionError, evaluate, parse, type_of
from tocsin.kernels.expressions.measured import UNKNOWN, Quantity, quantity_of
from tocsin.kernels.expressions.typing import kind_of
from tocsin.parts.aggregation import Aggregation
from tocsin.parts.part import configuration_faults
from tocsin.parts.registry import find

_PERCENTILE = re.compile(r"p(\d{1,2}(?:_\d+)?)")

# An expression says where in a text its parts are.
_COLUMN, _PLACE = re.compile(r"Column\(name='([^']*)', at=\d+\)"), re.compile(r", at=\d+")


@dataclass(frozen=True)
class Measure:
    """One output column: an aggregation of an expression.

    kind: Arrow type of the expression; null without one. grid: length and offset of spans of time
    that no hour before the end of a window divides, microseconds.
    """

    name: str
    aggregation: Aggregation
    of: Expression | None
    kind: Any
    measured: Quantity = UNKNOWN
    grid: tuple[int, int] = (1, 0)

    @property
    def result_type(self) -> Any:
        """Arrow type of the output column."""
        return self.aggregation.result_type(self.kind)

    def quantity(self, window: int | None) -> Quantity:
        """Unit and period of the result. window: length, microseconds, if all are equal."""
        aggregation = self.aggregation
        if not aggregation.keeps_unit:
            return UNKNOWN
        period = (
            aggregation.mean_of
            if isinstance(aggregation.mean_of, int)
            else window
            if aggregation.mean_of
            else None
        )
        return Quantity(self.measured.unit, period)

    @property
    def accumulated(self) -> str:
        """What its partial result means, whatever its name: accumulators and expression."""
        declared = self.aggregation.accumulators().values()
        kinds = " and ".join(one.kind for one in declared)
        if any(one.transform is not None for one in declared):
            kinds += f" by {type(self.aggregation).__name__} {self.aggregation.model_dump()}"
        of = _PLACE.sub("", _COLUMN.sub(r"\1", repr(self.of)))
        return kinds if self.of is None else f"{kinds} of {of}"

    def partial_fields(self, prefix: str) -> list[pa.Field]:
        """Columns of a partial result."""
        kinds = [
            kind
            for declared in self.aggregation.accumulators().values()
            for kind in ACCUMULATORS[declared.kind].fields(self.kind)
        ]
        return [pa.field(f"{prefix}_{i}", kind) for i, kind in enumerate(kinds)]

    def fold(self, batch: pa.RecordBatch, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        """Fold rows into partial columns."""
        column = None if self.of is None else evaluate(self.of, batch)
        arrays: list[Any] = []
        length, offset = self.grid
        for name, declared in self.aggregation.accumulators().items():
            accumulator = ACCUMULATORS[declared.kind]
            seen = times - (times - offset) % length if accumulator.by_hour else times
            arrays += accumulator.fold(
                self.aggregation.accumulated(name, column), seen, ids, groups
            )
        return arrays

    def merge(self, columns: list[Any], ids: Int64s, groups: int) -> list[Any]:
        """Merge partial columns."""
        arrays: list[Any] = []
        for accumulator, parts in self._by_accumulator(columns):
            arrays += accumulator.merge(parts, ids, groups)
        return arrays

    def finish(self, columns: list[Any], starts: Int64s, ends: Int64s) -> Any:
        """The output column. starts, ends: bounds of each row's window, microseconds."""
        parts = [accumulator.result(parts) for accumulator, parts in self._by_accumulator(columns)]
        arguments = dict(zip(self.aggregation.accumulators(), parts, strict=True))
        bounds = {"window_start": starts, "window_end": ends}
        arguments |= {
            name: timestamps(bounds[name]) for name in self.aggregation.window_arguments()
        }
        column = self.aggregation.finish(**arguments)
        return column if column.type == self.result_type else column.cast(self.result_type)

    def _by_accumulator(self, columns: list[Any]) -> list[tuple[Any, list[Any]]]:
        found, at = [], 0
        for declared in self.aggregation.accumulators().values():
            accumulator = ACCUMULATORS[declared.kind]
            width = len(accumulator.fields(self.kind))
            found.append((accumulator, columns[at : at + width]))
            at += width
        return found


def measure(name: str, written: str | Mapping[str, Any], schema: pa.Schema) -> Measure:
    """The measure that a job writes under a name.

    written: `mean(value)`, `p95(value)`, `quantile(value, q=0.9)`, or, for any aggregation,
    `{acme/pm_ratio: {of: value, limit: 50}}`. Raises Fault if it does not fit the schema.
    """
    path = ("measures", name)
    if isinstance(written, str):
        try:
            call = parse(written)
        except ExpressionError as error:
            raise Fault(str(error), *path, at=error.at) from None
        if not isinstance(call, Call):
            raise Fault(
                f"'{written}' is not an aggregation; write one such as mean({written})", *path
            )
        if len(call.arguments) > 1:
            raise Fault(
                f"'{call.function}' takes one column; name the other arguments, as in q=0.9", *path
            )
        part, of, config = (
            call.function,
            (call.arguments[0] if call.arguments else None),
            dict(call.named),
        )
        percentile = _PERCENTILE.fullmatch(part)
        if percentile:
            part, config = "quantile", {"q": float(percentile[1].replace("_", ".")) / 100, **config}
    else:
        if len(written) != 1:
            raise Fault(
                "takes one aggregation with its configuration, "
                "such as {exceedance: {of: value, limit: 50}}",
                *path,
            )
        part, raw = next(iter(written.items()))
        config = dict(raw or {})
        text = config.pop("of", None)
        try:
            of = None if text is None else parse(str(text))
        except ExpressionError as error:
            raise Fault(str(error), *path, part, "of", at=error.at) from None
    aggregation, kind = _aggregation(part, config, path), _kind(part, of, schema, path)
    return Measure(name, aggregation, of, kind, _quantity(of, schema, path))


def _quantity(of: Expression | None, schema: pa.Schema, path: tuple[str, ...]) -> Quantity:
    try:
        return UNKNOWN if of is None else quantity_of(of, schema)
    except ExpressionError as error:
        raise Fault(str(error), *path, at=error.at) from None


def _aggregation(part: str, config: dict[str, Any], path: tuple[str, ...]) -> Aggregation:
    try:
        found: Aggregation = find("aggregations", part)(**config)
    except UnknownPart as error:
        raise Fault(str(error), *path) from None
    except ValidationError as error:
        raise configuration_faults(part, find("aggregations", part), error, path) from None
    return found


def _kind(part: str, of: Expression | None, schema: pa.Schema, path: tuple[str, ...]) -> Any:
    aggregation: type[Aggregation] = find("aggregations", part)
    if of is None:
        if aggregation.takes_column:
            raise Fault(f"'{part}' needs a column, as in {part}(value)", *path)
        return pa.null()
    try:
        kind = type_of(of, schema)
    except ExpressionError as error:
        raise Fault(str(error), *path, at=error.at) from None
    if aggregation.numeric and kind_of(kind) not in ("number", "boolean", "null"):
        raise Fault(f"'{part}' takes numbers; its argument is {kind}", *path)
    return kind


class Measures:
    """All measures of a step. Their partial columns are m0_0, m0_1, m1_0 and so forth."""

    def __init__(self, measures: list[Measure]) -> None:
        self.measures = measures
        self.fields = [m.partial_fields(f"m{i}") for i, m in enumerate(measures)]
        self.partial_fields = [field for fields in self.fields for field in fields]
        self.result_fields = [pa.field(m.name, m.result_type) for m in measures]

    def fold(self, batch: pa.RecordBatch, times: Int64s, ids: Int64s, groups: int) -> list[Any]:
        """Fold rows into partial columns."""
        return [array for m in self.measures for array in m.fold(batch, times, ids, groups)]

    def merge(self, batch: pa.RecordBatch, ids: Int64s, groups: int) -> list[Any]:
        """Merge the partial columns of a batch: one row a group."""
        return [
            array for m, columns in self._columns(batch) for array in m.merge(columns, ids, groups)
        ]

    def finish(self, batch: pa.RecordBatch, starts: Int64s, ends: Int64s) -> list[Any]:
        """Result columns: one row a row of the batch."""
        return [m.finish(columns, starts, ends) for m, columns in self._columns(batch)]

    def _columns(self, batch: pa.RecordBatch) -> list[tuple[Measure, list[Any]]]:
        return [
            (m, [batch.column(field.name) for field in fields])
            for m, fields in zip(self.measures, self.fields, strict=True)
        ]
