"""Rules for every reading."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from tocsin.api.transform import (
    Collector,
    Fault,
    Outcome,
    Param,
    Transform,
    kind_of,
    unknown_column,
    user_columns,
)


class Rule(BaseModel):
    """The rule of a column. Null passes unless `required`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    min: float | None = Param(None, help="smallest valid value")
    max: float | None = Param(None, help="greatest valid value")
    one_of: list[str | float | bool] | None = Param(None, help="the only valid values", alias="in")
    required: bool = Param(False, help="null is invalid")
    finite: bool = Param(True, help="NaN and infinities are invalid")
    sentinels: list[float] = Param(
        [], help="values that mean missing, such as -999; they become null"
    )
    scale: float = Param(
        1.0, help="factor for the value, to change its unit, before the bounds apply"
    )
    shift: float = Param(0.0, help="summand, after `scale`")


class Validate(Transform):
    """Rejects readings that break a rule, with the reason; replaces sentinel values by null.

    Changes units by scale and shift.

    Order: sentinels become null, scale and shift, then the rules. NaN and infinities are
    rejected unless `finite: false`.
    """

    rejects: ClassVar[bool] = True
    keeps_columns: ClassVar[bool] = True
    rules: dict[str, Rule] = Param(
        help="rules by column, such as {value: {min: 0, max: 500}}", min_length=1
    )

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        collector = Collector()
        for name, rule in self.rules.items():
            with collector:
                self._check(name, rule, schema)
        collector.done()
        return schema

    @staticmethod
    def _check(name: str, rule: Rule, schema: pa.Schema) -> None:
        if name not in user_columns(schema):
            raise Fault(unknown_column(name, schema), "rules", name)
        kind = schema.field(name).type
        converts = (rule.scale, rule.shift) != (1, 0)
        if (rule.min is not None or rule.max is not None or rule.sentinels or converts) and kind_of(
            kind
        ) != "number":
            raise Fault(
                f"'{name}' is {kind}: min, max, sentinels, scale and shift take numbers",
                "rules",
                name,
            )
        if converts and not pa.types.is_floating(kind):
            raise Fault(
                f"'{name}' is {kind}: scale and shift need a floating-point column", "rules", name
            )

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        bad = np.zeros(batch.num_rows, bool)
        reasons = np.full(batch.num_rows, "", object)
        for name, rule in self.rules.items():
            at = batch.schema.get_field_index(name)
            column = self._converted(batch.column(name), rule)
            batch = batch.set_column(at, batch.schema.field(at), column)
            for breaks, reason in self._breaches(column, rule, name):
                found = pc.fill_null(breaks, False).to_numpy(zero_copy_only=False) & ~bad
                reasons[found] = reason
                bad |= found
        if not bad.any():
            return Outcome(batch)
        kept = pa.array(~bad)
        return Outcome(
            batch.filter(kept), batch.filter(pa.array(bad)), pa.array(reasons[bad], pa.string())
        )

    @staticmethod
    def _converted(column: Any, rule: Rule) -> Any:
        if rule.sentinels:
            kind = column.type
            missing = pc.is_in(
                column.cast(pa.float64()), value_set=pa.array(rule.sentinels, pa.float64())
            )
            column = pc.if_else(missing, pa.scalar(None, kind), column)
        if (rule.scale, rule.shift) != (1, 0):
            column = pc.add(pc.multiply(column, rule.scale), rule.shift).cast(column.type)
        return column

    @staticmethod
    def _breaches(column: Any, rule: Rule, name: str) -> list[tuple[Any, str]]:
        found = []
        if rule.required:
            found.append((column.is_null(), f"{name} is null"))
        if rule.finite and pa.types.is_floating(column.type):
            found.append((pc.invert(pc.is_finite(column)), f"{name} is not finite"))
        if rule.min is not None:
            found.append((pc.less(column, rule.min), f"{name} is below {rule.min:g}"))
        if rule.max is not None:
            found.append((pc.greater(column, rule.max), f"{name} is above {rule.max:g}"))
        if rule.one_of is not None:
            values = pa.array(list(rule.one_of), None).cast(column.type)
            known = pc.is_in(column, value_set=values)
            found.append(
                (
                    pc.and_(column.is_valid(), pc.invert(known)),
                    f"{name} is not one of {rule.one_of}",
                )
            )
        return found

    examples = [
        (
            {"rules": {"value": {"min": 0, "max": 100, "sentinels": [-999]}}},
            [5.0, -1.0, 101.0, -999.0, None, float("nan")],
            [5.0, None, None],
        )
    ]
