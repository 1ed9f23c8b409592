"""The Shift step: values of earlier rows and of the next row, added to each row."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, model_validator

from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels.expressions import ExpressionError, evaluate, parse, type_of
from tocsin.parts.fields import Duration
from tocsin.parts.part import Param
from tocsin.steps.ordered.ordered_rows import Ordered, last_rows
from tocsin.steps.ordered.ordered_step import OrderedStep


class Earlier(BaseModel):
    """An expression over an earlier row."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    of: str = Param(help="a column or an expression")
    rows: int = Param(1, help="number of rows back", ge=1, le=1000)


class Shift(OrderedStep):
    """Adds values of earlier rows of the key, and of the next one, in order of event time.

    `previous` is SQL's LAG, and `next` is LEAD with a limit in time. `latest` is the last value
    before the row that is not null. Values of rows before the first and after the end of the input
    are null. Late rows go to the output `late`, because they can no longer be put in order. The
    state keeps some rows of each key for ever.
    """

    in_a_job = {
        "config": {
            "by": ["sensor_id"],
            "previous": {"value_before": "value"},
            "since_previous": "seconds_since",
        }
    }

    keeps: ClassVar[str] = "the rows before those to come"

    previous: dict[str, str | Earlier] = Param(
        {}, help="columns by name: expressions over the row before, or {of, rows}"
    )
    latest: dict[str, str] = Param(
        {}, help="columns by name: the last value of an expression before the row that is not null"
    )
    next: dict[str, str] = Param(
        {}, help="columns by name: expressions over the row after, if it is `within`"
    )
    within: Duration | None = Param(
        None, help="how long a row waits for the next one; whole seconds"
    )
    since_previous: str | None = Param(None, help="name of a column: seconds since the row before")
    followed: str | None = Param(
        None,
        help="name of a column: whether a row followed `within`; null if the input ended before "
        "that was known",
    )

    @model_validator(mode="after")
    def _has_something_to_do(self) -> Shift:
        ahead = bool(self.next) or self.followed is not None
        if ahead != (self.within is not None):
            raise ValueError("`next` and `followed` need `within`, and it needs one of them")
        if self.within is not None and (self.within <= 0 or self.within % 1_000_000):
            raise ValueError("`within` is a whole number of seconds")
        if not (ahead or self.previous or self.latest or self.since_previous):
            raise ValueError(
                "needs one of `previous`, `latest`, `next`, `since_previous` and `followed`"
            )
        return self

    def lookahead(self) -> int:
        """How long rows wait."""
        return self.within or 0

    def _earlier(self) -> dict[str, Earlier]:
        return {
            name: Earlier(of=one) if isinstance(one, str) else one
            for name, one in self.previous.items()
        }

    def added(self, schema: pa.Schema) -> list[pa.Field]:
        """The columns: previous, latest, next, since_previous, followed. Raises Faults."""
        collector = Collector()
        written = [("previous", name, one.of) for name, one in self._earlier().items()]
        written += [("latest", name, of) for name, of in self.latest.items()]
        written += [("next", name, of) for name, of in self.next.items()]
        fields: list[pa.Field] = []
        for where, name, of in written:
            with collector:
                try:
                    fields.append(
                        pa.field(_free(name, schema, fields, where), type_of(parse(of), schema))
                    )
                except ExpressionError as error:
                    raise Fault(str(error), where, name, at=error.at) from None
        for where, given, kind in (
            ("since_previous", self.since_previous, pa.float64()),
            ("followed", self.followed, pa.bool_()),
        ):
            if given is not None:
                with collector:
                    fields.append(pa.field(_free(given, schema, fields, where), kind))
        collector.done()
        return fields

    def compared(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The values of the expressions, each under its text."""
        texts = [one.of for one in self._earlier().values()]
        texts = list(dict.fromkeys([*texts, *self.latest.values(), *self.next.values()]))
        values = [evaluate(parse(of), rows) for of in texts]
        return pa.RecordBatch.from_arrays(values, names=texts)

    def columns_of(self, ordered: Ordered) -> list[Any]:
        """The columns of all rows."""
        at = np.arange(len(ordered.times))
        first, end = ordered.first, ordered.end
        found = []
        for one in self._earlier().values():
            back = at - one.rows
            found.append(_taken(ordered, one.of, back, back < first))
        for of in self.latest.values():
            valid = ordered.rows.column(of).is_valid().to_numpy(zero_copy_only=False)
            before = (
                np.r_[-1, np.maximum.accumulate(np.where(valid, at, -1))[:-1]] if len(at) else at
            )
            found.append(_taken(ordered, of, before, before < first))
        after = np.minimum(at + 1, max(len(at) - 1, 0))
        follows = (at + 1 < end) & (ordered.times[after] - ordered.times <= self.lookahead())
        found += [_taken(ordered, of, after, ~follows) for of in self.next.values()]
        if self.since_previous is not None:
            back = np.maximum(at - 1, 0)
            found.append(pa.array((ordered.times - ordered.times[back]) / 1e6, mask=at - 1 < first))
        if self.followed is not None:
            unknown = ~follows & (ordered.times + self.lookahead() >= ordered.known)
            found.append(pa.array(follows, pa.bool_(), mask=unknown))
        return found

    def needed(self, ordered: Ordered) -> Any:
        """Rows that later ones need: the last of each key, and those with its latest values."""
        kept = last_rows(ordered, max([one.rows for one in self._earlier().values()], default=1))
        at = np.arange(len(ordered.times))
        for of in self.latest.values():
            valid = ordered.rows.column(of).is_valid().to_numpy(zero_copy_only=False)
            latest = np.full(len(at) + 1, -1)
            np.maximum.at(latest, ordered.first[valid], at[valid])
            kept |= latest[ordered.first] == at
        return kept

    examples = [
        (
            {"by": ["sensor_id"], "previous": {"before": "value"}, "since_previous": "gap"},
            [("a", 0, 1.0), ("b", 1, 5.0), ("a", 4, 3.0)],
            [
                {"sensor_id": "a", "value": 1.0, "before": None, "gap": None},
                {"sensor_id": "a", "value": 3.0, "before": 1.0, "gap": 4.0},
                {"sensor_id": "b", "value": 5.0, "before": None, "gap": None},
            ],
        ),
        (
            {
                "by": ["sensor_id"],
                "latest": {"known": "value"},
                "next": {"after": "value"},
                "within": "5 s",
                "followed": "followed",
            },
            [("a", 0, 1.0), ("a", 4, 3.0)],
            [
                {"value": 1.0, "known": None, "after": 3.0, "followed": True},
                {"value": 3.0, "known": 1.0, "after": None, "followed": None},
            ],
        ),
    ]


def _free(name: str, schema: pa.Schema, fields: list[pa.Field], where: str) -> str:
    if name.startswith("_"):
        raise Fault("a name that starts with an underscore is kept for system columns", where, name)
    if name in schema.names or name in [field.name for field in fields]:
        raise Fault(f"there is a column '{name}' already", where, name)
    return name


def _taken(ordered: Ordered, of: str, rows: Any, missing: Any) -> Any:
    """The values of an expression at some rows; null if missing."""
    return ordered.rows.column(of).take(pa.array(np.where(missing, 0, rows), mask=missing))
