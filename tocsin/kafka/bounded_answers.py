"""Answers of an HTTP server that are neither too long nor too slow."""

from __future__ import annotations

import time
from typing import Any


class TooMuch(Exception):
    """All answers together are longer, or take longer, than allowed."""


class Bounds:
    """What all answers of a server may take together.

    size: bytes. seconds: from now on.
    """

    def __init__(self, size: int = 64 << 20, seconds: float = 60) -> None:
        self.size, self.seconds = size, seconds
        self._left = size
        self._end = time.monotonic() + seconds

    def take(self, size: int) -> None:
        """Count received bytes. Raises TooMuch."""
        self._left -= size
        if self._left < 0:
            raise TooMuch(f"more than {self.size} bytes")
        if time.monotonic() > self._end:
            raise TooMuch(f"it takes longer than {self.seconds:g} s")


def bound_answers(client: Any, bounds: Bounds) -> None:
    """Let a SchemaRegistryClient end with TooMuch where its server answers without end.

    Compressed answers are refused, because a few bytes of them can be many.
    """

    def bound(response: Any) -> None:
        bounds.take(0)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise TooMuch("it compresses answers, which nobody asked for")
        parts = []
        for part in response.iter_raw():
            bounds.take(len(part))
            parts.append(part)
        response._content = b"".join(parts)  # noqa: SLF001 - where the library keeps what it read

    session = client._rest_client.session  # noqa: SLF001 - the library has no other door to it
    session.headers["Accept-Encoding"] = "identity"
    session.event_hooks["response"].append(bound)
