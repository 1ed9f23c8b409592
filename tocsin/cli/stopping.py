"""Ctrl-C and SIGTERM as a request: a run ends after its round; the second ends it at once."""

from __future__ import annotations

import signal
from contextlib import suppress
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Whether somebody asked this process to end. Use it as a context on the main thread."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        with suppress(ValueError):  # a thread that is not the main one
            for one in _SIGNALS:
                self._before[one] = signal.signal(one, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)

    def __call__(self) -> bool:
        """Whether the run has to end."""
        return self._number is not None

    def end(self) -> None:
        """Do what the signal does without this context: it raises."""
        if self._number is not None:
            self._before[self._number](self._number, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._number is not None:
            self._before[number](number, frame)
        self._number = number
