"""Laws for transforms of a batch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.laws.kit import demand, law
from tocsin.laws.readings import batch, cuts, series
from tocsin.parts.transform import Outcome

_CASES = 8


def _fates(outcome: Outcome) -> tuple[int, int, int]:
    rejected = 0 if outcome.rejected is None else outcome.rejected.num_rows
    return outcome.kept.num_rows, rejected, outcome.filtered


def examples_hold(part: Any) -> None:
    """For readings in the column `value`, the kept rows have the values of the example.

    They are compared in the column that the part shows.
    """
    for config, given, expected in part.examples:
        rows = batch(np.array([np.nan if v is None else v for v in given], np.float64))
        nulls = pa.array([v is None for v in given])
        column = pa.array(list(given), pa.float64())
        rows = rows.set_column(1, rows.schema.field(1), column)
        came = part(**config).apply(rows).kept.column(part.shows).to_pylist()
        demand(
            came == expected,
            f"{config} over {given} keeps {came}, the example says {expected} "
            f"({nulls.true_count} null)",
        )


def every_row_is_accounted_for(part: Any) -> None:
    """Every row is kept, rejected with a reason, or filtered."""
    for config, _, _ in part.examples:
        for seed in range(_CASES):
            rows = batch(series(seed) * 3)
            outcome = part(**config).apply(rows)
            demand(
                sum(_fates(outcome)) == rows.num_rows,
                f"{config}, seed {seed}: {rows.num_rows} rows in, {_fates(outcome)} out",
            )
            if outcome.rejected is not None:
                demand(
                    len(outcome.reasons) == outcome.rejected.num_rows,
                    f"{config}, seed {seed}: rejects without reason",
                )


def cutting_the_batch_changes_nothing(part: Any) -> None:
    """The result for a row does not depend on the other rows of its batch."""
    for config, _, _ in part.examples:
        made = part(**config)
        for seed in range(_CASES):
            rows = batch(series(seed) * 3)
            at = cuts(seed, rows.num_rows)
            whole = made.apply(rows).kept.to_pylist()
            pieces = [rows.slice(a, b - a) for a, b in itertools.pairwise(at) if b > a]
            cut = [row for piece in pieces for row in made.apply(piece).kept.to_pylist()]
            demand(
                str(whole) == str(cut), f"{config}, seed {seed}: another result when cut at {at}"
            )


def the_schema_is_as_promised(part: Any) -> None:
    """`apply` returns the columns that `output_schema` declares."""
    for config, _, _ in part.examples:
        made, rows = part(**config), batch(series(1))
        came, promised = made.apply(rows).kept.schema, made.output_schema(rows.schema)
        demand(
            came.names == promised.names and came.types == promised.types,
            f"{config}: promised {promised}, gave {came}",
        )


LAWS = [
    law(examples_hold),
    law(every_row_is_accounted_for),
    law(cutting_the_batch_changes_nothing),
    law(the_schema_is_as_promised),
]
