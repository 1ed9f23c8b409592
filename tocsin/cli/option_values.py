"""Durations and moments as they are given to options."""

from __future__ import annotations

from datetime import UTC, datetime

from tocsin.foundation.failure import Failure
from tocsin.kernels.time.durations import parse_duration


def given_duration(option: str, text: str) -> int:
    """Microseconds. Raises Failure with what would be right."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Failure(f"{option}: {error}") from None


def given_moment(option: str, text: str) -> int:
    """Microseconds since 1970; without a time zone it is UTC. Raises Failure with what would be right."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(
            f"{option}: '{text}' is not a moment; write it like 2026-03-02T10:00:00Z"
        ) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)
