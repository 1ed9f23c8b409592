"""Moments in the names of files: 20260302T103000Z."""

from __future__ import annotations

from datetime import UTC, datetime

_FORM = "%Y%m%dT%H%M%SZ"
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""Seconds since 1970 that a date can have: years 1 to 9999."""


def format_timestamp(microseconds: int) -> str:
    """The second in which a moment lies, or the nearest that a date can have."""
    seconds = min(max(microseconds // 1_000_000, _FIRST), _LAST)
    return datetime.fromtimestamp(seconds, UTC).strftime(_FORM)


def parse_timestamp(stamp: str) -> int:
    """Microseconds since 1970. Raises ValueError on text that is no stamp."""
    return int(datetime.strptime(stamp, _FORM).replace(tzinfo=UTC).timestamp()) * 1_000_000
