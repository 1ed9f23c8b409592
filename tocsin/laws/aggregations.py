"""Laws for aggregations: the result depends on the readings only."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import EVENT_TIME, micros
from tocsin.kernels.expressions import parse
from tocsin.laws.kit import demand, instances, law
from tocsin.laws.readings import START, batch, cuts, series
from tocsin.steps.aggregate.measures import Measure, Measures

_MINUTE = 60_000_000
_CASES = 12


def results(aggregation: Any, pieces: list[pa.RecordBatch]) -> list[Any]:
    """The result over all pieces in one window of a minute, without a key.

    Each piece is folded alone; then the partial results are merged.
    """
    of = parse("value")
    measures = Measures([Measure("result", aggregation, of, pa.float64())])
    partials = []
    for piece in pieces:
        ids = np.zeros(piece.num_rows, np.int64)
        arrays = measures.fold(piece, micros(piece.column(EVENT_TIME)), ids, 1)
        partials.append(
            pa.RecordBatch.from_arrays(arrays, schema=pa.schema(measures.partial_fields))
        )
    together = pa.concat_batches(partials)
    merged = measures.merge(together, np.zeros(together.num_rows, np.int64), 1)
    whole = pa.RecordBatch.from_arrays(merged, schema=pa.schema(measures.partial_fields))
    start = np.array([START], np.int64)
    found: list[Any] = measures.finish(whole, start, start + _MINUTE)[0].to_pylist()
    return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or one == other
    return bool(one == other)


def examples_hold(part: Any) -> None:
    """Readings one second apart, from the start of a window of a minute, give the result."""
    demand(
        bool(part.examples), f"{part.__name__} needs an example: (configuration, readings, result)"
    )
    for config, given, expected in part.examples:
        values = np.array([np.nan if v is None else v for v in given], np.float64)
        came = results(part(**config), [batch(values)])[0]
        near = came == expected or (
            came is not None and expected is not None and math.isclose(came, expected, rel_tol=1e-9)
        )
        demand(near, f"{config} over {given} gives {came}, the example says {expected}")


def cutting_the_stream_changes_nothing(part: Any) -> None:
    """However the stream is cut into batches, the result is the same bit for bit."""
    for made in instances(part):
        for seed in range(_CASES):
            rows = batch(series(seed))
            at = cuts(seed, rows.num_rows)
            pieces = [rows.slice(a, b - a) for a, b in itertools.pairwise(at)]
            whole, cut = results(made, [rows])[0], results(made, pieces)[0]
            demand(
                _same(whole, cut), f"{made!r}, seed {seed}: whole {whole!r}, cut at {at} {cut!r}"
            )


def order_changes_nothing(part: Any) -> None:
    """In any order of arrival, the result is the same bit for bit."""
    for made in instances(part):
        for seed in range(_CASES):
            rows = batch(series(seed))
            order = pa.array(np.random.default_rng(seed).permutation(rows.num_rows))
            straight, shuffled = results(made, [rows])[0], results(made, [rows.take(order)])[0]
            demand(
                _same(straight, shuffled),
                f"{made!r}, seed {seed}: in order {straight!r}, shuffled {shuffled!r}",
            )


def missing_readings_change_nothing(part: Any) -> None:
    """The result is the same with and without null and NaN values."""
    for made in instances(part):
        for seed in range(_CASES):
            rows = batch(series(seed))
            present = rows.filter(
                pa.array(~np.isnan(rows.column("value").fill_null(np.nan).to_numpy()))
            )
            with_missing, without = results(made, [rows])[0], results(made, [present])[0]
            demand(
                _same(with_missing, without),
                f"{made!r}, seed {seed}: {with_missing!r} with missing, {without!r} without",
            )


LAWS = [
    law(examples_hold),
    law(cutting_the_stream_changes_nothing),
    law(order_changes_nothing),
    law(missing_readings_change_nothing),
]
