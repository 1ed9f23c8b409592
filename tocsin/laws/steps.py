"""Laws for steps with state: the result depends on the rows, and not on how they were delivered.

The laws deliver a stream like that of each example in other ways, and compare what the step emits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import FOREVER, user_columns
from tocsin.laws.kit import demand, law
from tocsin.laws.readings import START
from tocsin.laws.shards import Emitted, Shards
from tocsin.laws.streams import (
    SECOND,
    Row,
    Shape,
    batch_of,
    end_of,
    in_order,
    interleaved,
    rows_given,
    shape_of,
    stream_like,
    watermarks_after,
)
from tocsin.parts.operator import Operator
from tocsin.parts.stateful_step import StatefulStep

_CASES = 3
_LARGEST_BATCH = 12

Result = list[tuple[str, str]]
"""Emitted rows as (output, text), sorted."""


class _Case:
    """A step in the configuration of an example, and a stream like that of the example."""

    def __init__(self, part: Any, config: Any, given: Any, seed: int) -> None:
        self.step: StatefulStep = part.model_validate(config)
        self.name = f"{self.step!r}, seed {seed}"
        rows = rows_given(given)
        self.shape: Shape = shape_of(rows)
        self.stream = stream_like(rows, seed)
        self.random = np.random.default_rng([seed, 29])
        self.rows = interleaved(self.stream, self.random)

    def operator(self, step: StatefulStep | None = None) -> Operator:
        return (step or self.step).operator(self.shape.schema, "law/step")

    def run(
        self,
        rows: list[Row] | None = None,
        *,
        cuts: np.random.Generator | None = None,
        step: StatefulStep | None = None,
        forgets: float = 0.0,
        restarts: bool = False,
    ) -> Result:
        """What the step emits. cuts: draws batches and firing times; None: row by row."""
        operator = self.operator(step)
        remade: Callable[[], Operator] | None = (lambda: self.operator(step)) if restarts else None
        shards = Shards(operator, np.random.default_rng(3), forgets=forgets, remade=remade)
        run = _Run(shards, self.shape, end_of(self.stream), cuts)
        return run.result(rows if rows is not None else self.rows, len(self.stream))


class _Run:
    """One delivery of a stream to the shards of an operator."""

    def __init__(
        self, shards: Shards, shape: Shape, end: int, cuts: np.random.Generator | None
    ) -> None:
        self.shards, self.shape, self.end, self.cuts = shards, shape, end, cuts
        self.emitted: Emitted = []
        self.routed: Emitted = []

    def result(self, rows: list[Row], partitions: int) -> Result:
        watermarks = watermarks_after(rows, partitions)
        at = 0
        while at < len(rows):
            size = 1 if self.cuts is None else int(self.cuts.integers(1, _LARGEST_BATCH))
            self.take(batch_of(rows[at : at + size], self.shape))
            at = min(at + size, len(rows))
            self._fire(watermarks[at - 1] // SECOND * SECOND)
        for shard in range(self.shards.operator.shards):
            self.emitted += self.shards.advance(shard, FOREVER, self.end)
        return sorted(
            (name, repr(row)) for name, batch in self.outputs() for row in batch.to_pylist()
        )

    def outputs(self) -> Emitted:
        """All rows that came out, on the way to the shards or from them."""
        return [*self.routed, *self.emitted]

    def take(self, batch: pa.RecordBatch) -> None:
        routed = self.shards.operator.route(batch)
        self.routed += list(routed.outputs.items())
        if self.shards.operator.eager:
            self.emitted += self.shards.take_eagerly(routed)
        else:
            self.shards.take(routed)

    def _fire(self, watermark: int) -> None:
        """Advance shards that are due; with random cuts also some that are not."""
        for shard in range(self.shards.operator.shards):
            due = self.shards.due.get(shard)
            is_due = due is not None and due <= watermark
            if is_due or (self.cuts is not None and self.cuts.random() < 0.3):
                self.emitted += self.shards.advance(shard, watermark)


def _cases(part: Any) -> list[_Case]:
    if part.takes != "readings":
        return []
    return [
        _Case(part, config, given, seed)
        for config, given, _ in part.examples
        for seed in range(_CASES)
    ]


def _same(case: _Case, one: Result, other: Result, how: str) -> None:
    missing = [row for row in one if row not in other]
    more = [row for row in other if row not in one]
    shown = (missing or more or [("", "a row is repeated")])[0]
    where = "not emitted" if missing else "emitted only"
    demand(one == other, f"{case.name}: {' '.join(shown)} is {where} {how}")


def examples_hold(part: Any) -> None:
    """All rows of the example arrive on time, in order.

    The rows that come out of `output`, or of several outputs by name, may come in any order.
    """
    if part.takes != "readings":
        return
    demand(
        bool(part.examples), f"{part.__name__} needs an example: (configuration, rows, output rows)"
    )
    for config, given, expected in part.examples:
        shape, rows = shape_of(rows_given(given)), in_order(rows_given(given))
        operator = part.model_validate(config).operator(shape.schema, "law/step")
        run = _Run(Shards(operator, np.random.default_rng(3)), shape, _last(rows), None)
        run.result(rows, 1 + max(row.partition for row in rows))
        for name, wanted in (
            expected if isinstance(expected, dict) else {"output": expected}
        ).items():
            came = [row for tag, batch in run.outputs() if tag == name for row in batch.to_pylist()]
            names = list(wanted[0]) if wanted else []
            shown = [{key: _plain(row.get(key)) for key in names or row} for row in came]
            demand(
                _are_the_same(shown, wanted),
                f"{config} over {given} emits {shown} from {name}, the example says {wanted}",
            )


def _last(rows: list[Row]) -> int:
    return max(row.time for row in rows)


def _plain(value: Any) -> Any:
    """A time as seconds after the start, as examples write it."""
    return value.timestamp() - START / SECOND if isinstance(value, datetime) else value


def _are_the_same(came: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> bool:
    """Whether rows are the same in any order: shards emit in no order."""
    left = list(came)
    for row in wanted:
        at = next((at for at, one in enumerate(left) if _near(one, row)), None)
        if at is None:
            return False
        left.pop(at)
    return not left


def _near(row: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(
        row.get(key) == value
        or (
            isinstance(value, float)
            and isinstance(row.get(key), float | int)
            and math.isclose(row[key], value, rel_tol=1e-9, abs_tol=1e-12)
        )
        for key, value in wanted.items()
    )


def cutting_the_stream_changes_nothing(part: Any) -> None:
    """Batches may be of any size, and shards may be advanced at any time."""
    for case in _cases(part):
        _same(case, case.run(), case.run(cuts=case.random), "in other batches")


def order_of_delivery_changes_nothing(part: Any) -> None:
    """Partitions may be interleaved in any way."""
    for case in _cases(part):
        other = interleaved(case.stream, case.random)
        _same(case, case.run(), case.run(other, cuts=case.random), "in another order")


def a_restart_changes_nothing(part: Any) -> None:
    """All that a shard keeps is in the bytes of its state and in its rows."""
    for case in _cases(part):
        _same(case, case.run(), case.run(restarts=True), "after a restart")


def losing_memory_changes_nothing(part: Any) -> None:
    """Memory saves work, and may be lost at any time."""
    for case in _cases(part):
        _same(case, case.run(), case.run(forgets=0.5), "when its memory is lost")


def the_number_of_shards_changes_nothing(part: Any) -> None:
    """Keys do not meet, whichever of them share a shard."""
    for case in _cases(part):
        if hasattr(case.step, "shards"):
            one, many = (case.step.model_copy(update={"shards": count}) for count in (1, 5))
            _same(case, case.run(step=one), case.run(step=many), "with more shards")


def a_shard_wakes_up_later(part: Any) -> None:
    """A shard asks to be advanced after the time to which it was; else its timer never rests."""
    for case in _cases(part):
        operator = case.operator()
        shards = Shards(operator, np.random.default_rng(3), forgets=0.0)
        run = _Run(shards, case.shape, end_of(case.stream), None)
        watermarks = watermarks_after(case.rows, len(case.stream))
        for row, watermark in zip(case.rows, watermarks, strict=True):
            run.take(batch_of([row], case.shape))
            time = watermark // SECOND * SECOND
            for shard in range(operator.shards):
                shards.advance(shard, time)
                due = shards.due.get(shard)
                demand(
                    due is None or due > time,
                    f"{case.name}: a shard that was advanced to {time} asks for {due}",
                )


def the_columns_are_as_promised(part: Any) -> None:
    """Every output has its declared schema. Only `late` leaves on the way to the shards."""
    for case in _cases(part):
        promised = case.step.outputs(case.shape.schema)
        demand(
            case.operator().outputs == promised,
            f"{case.name}: its operator has other outputs than the step",
        )
        shards = Shards(case.operator(), np.random.default_rng(3))
        run = _Run(shards, case.shape, end_of(case.stream), case.random)
        run.result(case.rows, len(case.stream))
        for name, _ in run.routed:
            demand(name == "late", f"{case.name}: `route` emits {name}; only `late` leaves there")
        for name, _ in run.emitted:
            demand(name != "late", f"{case.name}: `advance` emits `late`, which leaves in `route`")
        for name, batch in run.outputs():
            demand(name in promised, f"{case.name}: emits an output '{name}' that it lacks")
            schema = promised[name]
            demand(
                batch.schema.names == schema.names and batch.schema.types == schema.types,
                f"{case.name}: {name} has {user_columns(batch.schema)}, not {user_columns(schema)}",
            )


def its_state_is_described(part: Any) -> None:
    """`tocsin plan` shows what the state is, and compares what it depends on as JSON."""
    for case in _cases(part):
        described = case.step.state_depends_on(case.shape.schema)
        try:
            again = json.loads(json.dumps(described))
        except TypeError as error:
            demand(False, f"{case.name}: what its state depends on is not JSON: {error}")
        demand(again == described, f"{case.name}: what its state depends on changes as JSON")
        demand(bool(case.step.state_shape(case.shape.schema)), f"{case.name}: no state_shape")


LAWS = [
    law(examples_hold),
    law(cutting_the_stream_changes_nothing),
    law(order_of_delivery_changes_nothing),
    law(a_restart_changes_nothing),
    law(losing_memory_changes_nothing),
    law(the_number_of_shards_changes_nothing),
    law(a_shard_wakes_up_later),
    law(the_columns_are_as_promised),
    law(its_state_is_described),
]
