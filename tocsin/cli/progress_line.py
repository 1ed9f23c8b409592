"""One line on a terminal that shows how far a run has come."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import UTC, datetime

from tocsin.engines.embedded.progress import Progress

_PATIENCE, _EVERY = 2.0, 0.5
"""Seconds before the line appears, and between two of its versions."""


class ProgressLine:
    """Shows progress on standard error, if that is a terminal."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._is_there = False

    def show(self, progress: Progress) -> None:
        """Show the newest progress, not more than twice a second."""
        now = time.monotonic()
        if not self._is_terminal or now < self._began + _PATIENCE or now < self._shown + _EVERY:
            return
        self._shown, self._is_there = now, True
        sys.stderr.write(f"\r\x1b[K{text_of(progress, now - self._began)}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._is_there:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def text_of(progress: Progress, seconds: float) -> str:
    """Readings, rate, event time, and what is left: of a bounded topic, or behind a live one."""
    parts = [
        f"{progress.read:,} readings",
        f"{progress.read / max(seconds, 0.001):,.0f}/s",
    ]
    if progress.watermark is not None:
        with suppress(ValueError, OverflowError, OSError):  # after the year 9999
            moment = datetime.fromtimestamp(progress.watermark / 1e6, UTC)
            parts.append(f"event time {moment:%Y-%m-%d %H:%M:%S}Z")
    lags = [split.lag for split in progress.splits if split.lag is not None]
    if progress.left is not None:
        parts.append(f"{progress.left:,} messages left")
    elif lags:
        parts.append(f"{sum(lags):,} messages behind")
    return ", ".join(parts)
