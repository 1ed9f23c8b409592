"""The law that a step's work does not grow with its history.

An engine that fires often pays for all that a step does again at each firing. So a firing may touch
what arrived since the last one and what still waits, and not what was emitted long ago.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.laws.kit import demand, law
from tocsin.laws.readings import START
from tocsin.laws.shards import Shards
from tocsin.laws.streams import SECOND, Row, Shape, batch_of, rows_given, shape_of
from tocsin.laws.work import Work
from tocsin.parts.operator import Operator

Firing = tuple[pa.RecordBatch, int]
"""A batch that arrives, and the watermark after it, microseconds."""

QUARTER = 64
"""Number of firings in a quarter of a stream: state in 64 pieces is written whole once."""
_EVERY = 10
_MOST = 1.25


def growth(operator: Operator, firings: list[Firing]) -> dict[str, tuple[int, int]]:
    """The work of the second quarter of some firings, and that of the last one, by kind of work.

    The first quarter fills windows and compiles loops. Each firing must bring as many rows.
    """
    _driven(operator, firings, [])
    quarter = len(firings) // 4
    early, late = Work(), Work()
    _driven(operator, firings, [None, early, None, late], quarter)
    first, last = early.as_dict(), late.as_dict()
    return {kind: (first[kind], last[kind]) for kind in first}


def _driven(
    operator: Operator, firings: list[Firing], counted: list[Work | None], quarter: int = 1
) -> None:
    shards = Shards(operator, np.random.default_rng(3), forgets=0.0)
    for number, (batch, time) in enumerate(firings):
        at = number // quarter
        work = counted[at] if at < len(counted) else None
        routed = operator.route(batch)

        def fire(routed: Any = routed, time: int = time) -> None:
            if operator.eager:
                shards.take_eagerly(routed)
            else:
                shards.take(routed)
            for shard, due in list(shards.due.items()):
                if due is not None and due <= time:
                    shards.advance(shard, time)

        fire() if work is None else work.count(fire)


def demand_no_growth(name: str, found: dict[str, tuple[int, int]]) -> None:
    """Raise BrokenLaw if the last quarter's work is much more than the second's."""
    for kind, (early, late) in found.items():
        demand(
            late <= _MOST * early,
            f"{name}: {QUARTER} late firings touch {late:,} {_UNITS[kind]}, and as many early ones "
            f"with as many rows {early:,}",
        )


_UNITS = {
    "columns": "bytes of Arrow columns",
    "arrays": "bytes of arrays",
    "calls": "function calls",
}


def steady(given: dict[str, list[dict[str, Any]]], seed: int) -> Iterator[list[Row]]:
    """The rows of each firing: every row of an example once, with its numbers changed."""
    random = np.random.default_rng([seed, 41])
    for number in range(4 * QUARTER):
        rows = []
        for partition, (name, mine) in enumerate(given.items()):
            for at, row in enumerate(mine):
                time = START + (number * _EVERY + at * _EVERY // len(mine)) * SECOND
                columns = {key: _changed(value, random) for key, value in row.items()}
                offset = number * len(mine) + at
                rows.append(Row(name, columns, time, time, partition, offset))
        yield rows


def _changed(value: Any, random: np.random.Generator) -> Any:
    return round(value + float(random.normal()), 3) if isinstance(value, float) else value


def firings_like(given: dict[str, list[dict[str, Any]]], shape: Shape) -> list[Firing]:
    """A long stream of small firings, with rows like those of an example."""
    return [
        (batch_of(rows, shape), START + number * _EVERY * SECOND)
        for number, rows in enumerate(steady(given, 0))
    ]


def work_does_not_grow(part: Any) -> None:
    """Late firings touch as much as early ones with as many rows, whatever lies behind them."""
    if part.takes != "readings":
        return
    for config, given, _ in part.examples:
        rows = rows_given(given)
        shape = shape_of(rows)
        step = part.model_validate(config)
        if hasattr(step, "shards"):
            step = step.model_copy(update={"shards": 1})
        operator = step.operator(shape.schema, "law/step")
        demand_no_growth(repr(step), growth(operator, firings_like(rows, shape)))


LAWS = [law(work_does_not_grow)]
