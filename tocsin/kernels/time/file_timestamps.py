"""Timestamps in file names: 20260302T103000Z."""

from __future__ import annotations

from datetime import UTC, datetime

_FORM = "%Y%m%dT%H%M%SZ"
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The first and the last second, since 1970, of the years 1 to 9999 that a datetime can hold."""


def format_timestamp(microseconds: int) -> str:
    """The second of a time in microseconds since 1970, limited to the years 1 to 9999."""
    seconds = min(max(microseconds // 1_000_000, _FIRST), _LAST)
    return datetime.fromtimestamp(seconds, UTC).strftime(_FORM)


def parse_timestamp(text: str) -> int:
    """The microseconds since 1970 of a timestamp in a file name.

    Raises:
        ValueError: for a text in another format.
    """
    return int(datetime.strptime(text, _FORM).replace(tzinfo=UTC).timestamp()) * 1_000_000
