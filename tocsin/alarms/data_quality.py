"""Doubts about the data behind an alarm: quality flags, missing measurements, neighbours."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tocsin.kernels.quality_tests import FAIL, GOOD, REASONS, SUSPECT

QUALITY_FIELDS = (
    pa.field("flag", pa.int8()),
    pa.field("flag_reasons", pa.int64()),
    pa.field("coverage", pa.float64()),
    pa.field("valid", pa.bool_()),
)
"""Columns of an alarm event that are copied from the row that caused it; null if it lacks them.

`flag`, `flag_reasons`: from QualityControl, or for a window from `worst_flag` and `reasons`.
`coverage`, `valid`: the measured share of the window, and whether that is enough (`completeness` of
Aggregate).
"""

_NEIGHBOURS = "neighbour_flag"


def quality_of(rows: pa.RecordBatch, at: pa.Array) -> dict[str, pa.Array]:
    """The quality columns that the rows have, taken at `at`; null where `at` is null."""
    found = {}
    for field in QUALITY_FIELDS:
        place = rows.schema.get_field_index(field.name)
        if place >= 0 and _is_alike(rows.schema.field(place).type, field.type):
            found[field.name] = rows.column(place).take(at).cast(field.type)
    return found


def _is_alike(known: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a column has the type of the quality column of its name."""
    if pa.types.is_floating(wanted):
        return bool(pa.types.is_floating(known))
    return (
        bool(pa.types.is_integer(known)) if pa.types.is_integer(wanted) else bool(known == wanted)
    )


def reasons_of(bits: int | None) -> list[str]:
    """Names of the failed quality tests, of bits in `flag_reasons`."""
    return [name for bit, name in enumerate(REASONS) if (bits or 0) >> bit & 1]


def doubts(rows: pa.RecordBatch, at: pa.Array) -> list[str]:
    """For each row at `at`, warnings to append to the alarm's message; '' without a doubt."""
    quality = quality_of(rows, at)
    columns: list[list[Any]] = [
        quality[field.name].to_pylist() if field.name in quality else [None] * len(at)
        for field in QUALITY_FIELDS
    ]
    place = rows.schema.get_field_index(_NEIGHBOURS)
    neighbours = [None] * len(at) if place < 0 else rows.column(place).take(at).to_pylist()
    return ["".join(_warnings(*one)) for one in zip(*columns, neighbours, strict=True)]


def _warnings(
    flag: int | None,
    bits: int | None,
    coverage: float | None,
    valid: bool | None,
    neighbours: int | None,
) -> list[str]:
    warnings = []
    if flag in (SUSPECT, FAIL):
        names = reasons_of(bits)
        # Neighbours have a warning of their own.
        others = [
            name.replace("_", " ")
            for name in names
            if neighbours != SUSPECT or name != "neighbours"
        ]
        if others or not names:
            warnings.append(
                f"; flagged {'suspect' if flag == SUSPECT else 'failed'}"
                + (f" ({', '.join(others)})" if others else "")
            )
    if valid is False:
        warnings.append(
            "; too little was measured" + ("" if coverage is None else f" ({coverage:.0%})")
        )
    if neighbours in (GOOD, SUSPECT):
        warnings.append(
            "; its neighbours read alike"
            if neighbours == GOOD
            else "; its neighbours read otherwise"
        )
    return warnings
