"""Loops that a recurrence forces, compiled on first use; the plain Python version stays as the oracle."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any


class Compiled:
    """A function of NumPy arrays that is compiled with Numba when it is first called.

    Numba is imported only then, because that import takes about a second. `plain` is the same function, not compiled.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.plain = function
        self.__doc__ = function.__doc__

    @cached_property
    def _machine(self) -> Callable[..., Any]:
        from numba import njit

        machine: Callable[..., Any] = njit(cache=True, nogil=True)(self.plain)
        return machine

    def __call__(self, *arguments: Any) -> Any:
        return self._machine(*arguments)


def compiled(function: Callable[..., Any]) -> Compiled:
    """Mark a function of arrays and numbers as one that is compiled on first use."""
    return Compiled(function)
