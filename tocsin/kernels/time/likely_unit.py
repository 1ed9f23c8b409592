"""The unit that numbers of event times are probably in: the one that puts them in 2000 to 2100."""

from __future__ import annotations

from datetime import UTC, datetime

_EARLY, _LATE = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2100))
_PER_SECOND = {
    "seconds": 1,
    "milliseconds": 10**3,
    "microseconds": 10**6,
    "nanoseconds": 10**9,
}
EXPECTED = (_EARLY * 10**6, _LATE * 10**6)
"""The first microsecond of 2000, and the first of 2100."""


def likely_unit(number: float) -> str | None:
    """The unit in which a number since 1970 is in the years 2000 to 2099, or None.

    The ranges of the four units do not overlap.
    """
    found = [unit for unit, per in _PER_SECOND.items() if _EARLY * per <= number < _LATE * per]
    return found[0] if found else None


def confusion(micros: float) -> str | None:
    """Which units were probably mixed up where a time of unit `micros` is not in 2000 to 2099.

    The result is the rest of a sentence after "seem to be", or None.
    """
    for factor in (10**3, 10**6, 10**9):
        if EXPECTED[0] <= micros * factor < EXPECTED[1]:
            return f"{factor:,} times too small, such as {_coarser(factor)}"
        if EXPECTED[0] <= micros / factor < EXPECTED[1]:
            return f"{factor:,} times too large, such as {_finer(factor)}"
    return None


def _coarser(factor: int) -> str:
    read = {10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}[factor]
    return f"seconds read as {read}"


def _finer(factor: int) -> str:
    written = {10**3: "microseconds", 10**6: "nanoseconds", 10**9: "nanoseconds"}[factor]
    read = {10**3: "milliseconds", 10**6: "milliseconds", 10**9: "seconds"}[factor]
    return f"{written} read as {read}"
