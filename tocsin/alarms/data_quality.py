"""What is doubtful about the rows that an alarm is about: quality flags, missing measurements, neighbours that read otherwise."""

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
"""Columns of an alarm event that come from the row that it is about, where it has them.

`flag`, `flag_reasons`: of QualityControl, or of a window by `worst_flag` and `reasons`. `coverage`, `valid`: how much of the
window was measured, and whether that is enough (`completeness` of Aggregate).
"""

_NEIGHBOURS = "neighbour_flag"


def quality_of(rows: pa.RecordBatch, at: pa.Array) -> dict[str, pa.Array]:
    """The columns that the rows have, for the rows at `at`; null where that is null."""
    found = {}
    for field in QUALITY_FIELDS:
        place = rows.schema.get_field_index(field.name)
        if place >= 0 and _is_alike(rows.schema.field(place).type, field.type):
            found[field.name] = rows.column(place).take(at).cast(field.type)
    return found


def _is_alike(known: pa.DataType, wanted: pa.DataType) -> bool:
    """A column of that name that means something else is not taken."""
    if pa.types.is_floating(wanted):
        return bool(pa.types.is_floating(known))
    return (
        bool(pa.types.is_integer(known)) if pa.types.is_integer(wanted) else bool(known == wanted)
    )


def reasons_of(bits: int | None) -> list[str]:
    """The names of the tests that were not passed."""
    return [name for bit, name in enumerate(REASONS) if (bits or 0) >> bit & 1]


def doubts(rows: pa.RecordBatch, at: pa.Array) -> list[str]:
    """For each of the rows at `at` what a person should know before acting on it; '' where there is nothing."""
    quality = quality_of(rows, at)
    columns: list[list[Any]] = [
        quality[field.name].to_pylist() if field.name in quality else [None] * len(at)
        for field in QUALITY_FIELDS
    ]
    place = rows.schema.get_field_index(_NEIGHBOURS)
    neighbours = [None] * len(at) if place < 0 else rows.column(place).take(at).to_pylist()
    return ["".join(_told(*one)) for one in zip(*columns, neighbours, strict=True)]


def _told(
    flag: int | None,
    bits: int | None,
    coverage: float | None,
    valid: bool | None,
    neighbours: int | None,
) -> list[str]:
    told = []
    if flag in (SUSPECT, FAIL):
        names = reasons_of(bits)
        # What neighbours read has a sentence of its own.
        others = [
            name.replace("_", " ")
            for name in names
            if neighbours != SUSPECT or name != "neighbours"
        ]
        if others or not names:
            told.append(
                f"; flagged {'suspect' if flag == SUSPECT else 'failed'}"
                + (f" ({', '.join(others)})" if others else "")
            )
    if valid is False:
        told.append(
            "; too little was measured" + ("" if coverage is None else f" ({coverage:.0%})")
        )
    if neighbours in (GOOD, SUSPECT):
        told.append(
            "; its neighbours read alike"
            if neighbours == GOOD
            else "; its neighbours read otherwise"
        )
    return told
