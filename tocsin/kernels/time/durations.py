"""Durations and sizes as text: `30 s`, `10 min`, `1 h`, `64 MiB`."""

from __future__ import annotations

import re

_DURATIONS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
# 1,000 years.
_LONGEST = 365_250 * _DURATIONS["d"]
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def parse_duration(text: str) -> int:
    """The microseconds of a duration such as `30 s` or `1 h 30 min`.

    Raises:
        ValueError: for a text that is not a duration, and for more than 1,000 years: their sum with
            an event time fits 64 bits.
    """
    total, at = 0.0, 0
    while at < len(text):
        match = _QUANTITY.match(text, at)
        if match is None or match[2] not in _DURATIONS:
            raise ValueError(
                f"'{text}' is not a duration; write a number and a unit, "
                "such as '30 s', '10 min' or '1 h'"
            )
        total += float(match[1]) * _DURATIONS[match[2]]
        at = match.end()
    if not text.strip():
        raise ValueError(
            "a duration is empty; write a number and a unit, such as '30 s', '10 min' or '1 h'"
        )
    if total > _LONGEST:
        raise ValueError(f"'{text}' is longer than 1,000 years")
    return round(total)


def format_duration(microseconds: int) -> str:
    """The shortest exact text: 90_000_000 microseconds are '90 s', 3_600_000_000 are '1 h'."""
    for unit in ("d", "h", "min", "s", "ms", "us"):
        if microseconds % _DURATIONS[unit] == 0 and microseconds:
            return f"{microseconds // _DURATIONS[unit]} {unit}"
    return "0 s"


def parse_size(text: str) -> int:
    """The bytes of a size such as `64 MiB`.

    Raises:
        ValueError: for a text that is not a size.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in _SIZES:
        raise ValueError(
            f"'{text}' is not a size; write a number and a unit, such as '64 MiB' or '5 MB'"
        )
    return round(float(match[1]) * _SIZES[match[2]])
