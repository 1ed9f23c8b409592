"""Rows of a test in a job file, and their comparison with the rows of an output."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Mismatch:
    """A row that is missing, or one that was not expected."""

    output: str
    kind: str
    row: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.output}: {self.kind} {self.row}"


@dataclass(frozen=True)
class TestResult:
    """The result of a job's test. mismatches: differences between expected and actual rows."""

    test: str
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all outputs were as expected."""
        return not self.mismatches


def rows_of(written: Any) -> list[dict[str, Any]]:
    """Rows of a table, which is `{columns: […], rows: [[…], …]}` or a list of mappings."""
    if isinstance(written, dict):
        return [dict(zip(written["columns"], row, strict=True)) for row in written.get("rows", [])]
    return list(written or [])


def result_of(test: dict[str, Any], came: dict[str, list[dict[str, Any]]]) -> TestResult:
    """The result of a test. came: rows by `Step` or `Step.output`, as `expect` names them."""
    mismatches = []
    for name, written in test["expect"].items():
        contains = bool(isinstance(written, dict) and written.get("contains"))
        rows = came.get(name, [])
        mismatches += compare(name, rows, rows_of(written), contains=contains)
    return TestResult(str(test["name"]), mismatches)


def compare(
    output: str, came: list[dict[str, Any]], wanted: list[dict[str, Any]], *, contains: bool
) -> list[Mismatch]:
    """Compare rows in any order, on the columns of the wanted ones; numbers to a relative 1e-9.

    contains: whether other rows are allowed.
    """
    columns = list(wanted[0]) if wanted else []
    left = [{name: row.get(name) for name in columns} if columns else row for row in came]
    missing = []
    for row in wanted:
        at = next(
            (
                i
                for i, candidate in enumerate(left)
                if all(_same(candidate[c], row.get(c)) for c in columns)
            ),
            None,
        )
        if at is None:
            missing.append(Mismatch(output, "expected, did not come:", row))
        else:
            left.pop(at)
    extra = (
        []
        if contains
        else [
            Mismatch(output, "came, not expected:", {k: _shown(v) for k, v in row.items()})
            for row in left
        ]
    )
    return [*missing, *extra]


def _same(came: Any, wanted: Any) -> bool:
    if isinstance(came, datetime):
        try:
            return wanted is not None and came == datetime.fromisoformat(str(wanted))
        except ValueError:
            return False
    if isinstance(came, bool) or isinstance(wanted, bool) or came is None or wanted is None:
        return bool(came == wanted)
    if isinstance(came, int | float) and isinstance(wanted, int | float):
        return (math.isnan(came) and math.isnan(wanted)) or math.isclose(
            came, wanted, rel_tol=1e-9, abs_tol=1e-12
        )
    return bool(came == wanted)


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
