"""Durations and moments in options of the command."""

from __future__ import annotations

from datetime import UTC, datetime

from tocsin.foundation.failure import Failure
from tocsin.kernels.time.durations import parse_duration


def duration_option(option: str, text: str) -> int:
    """Microseconds. Raises Failure with the right form."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Failure(f"{option}: {error}") from None


def moment_option(option: str, text: str) -> int:
    """Microseconds since 1970; a moment without a time zone is UTC.

    Raises Failure with the right form.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(
            f"{option}: '{text}' is not a moment; write it like 2026-03-02T10:00:00Z"
        ) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)
