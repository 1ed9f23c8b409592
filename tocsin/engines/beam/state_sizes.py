"""Sizes of state values, which Beam's cache asks for at each read and write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.runners.worker import statecache

_OBJECT = 64


def state_size(*values: Any) -> int:
    """Bytes of cached state values.

    Our state is byte strings in lists. Beam's own estimate walks over every loaded module for each.
    """
    total = 0
    for value in values:
        if isinstance(value, (bytes, str)):
            total += len(value) + _OBJECT
        elif isinstance(value, (list, tuple)):
            total += _OBJECT + sum(state_size(one) for one in value)
        else:
            total += _OBJECT
    return total


@contextmanager
def our_state_sizes() -> Iterator[None]:
    """Let Beam's cache use `state_size` meanwhile: a program that embeds us may run other jobs."""
    before = statecache.get_deep_size
    statecache.get_deep_size = state_size
    try:
        yield
    finally:
        statecache.get_deep_size = before
