"""Loops that a recurrence forces, compiled on first use; the plain Python version stays as the oracle."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import FunctionType
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


class Kernel:
    """A function that compiled functions call. Called from Python it is plain; `machine` gives what Numba made of it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.plain = function
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: Any) -> Any:
        return self.plain(*arguments)

    @cached_property
    def machine(self) -> Callable[..., Any]:
        """Compiled, and what it calls, too."""
        return machine_of(self.plain)


def kernel(function: Callable[..., Any]) -> Kernel:
    """Mark a function of arrays and numbers as one that others, compiled with it, may call."""
    return Kernel(function)


def machine_of(function: Any) -> Callable[..., Any]:
    """A function compiled with Numba, kernels that it names included."""
    from numba import njit

    names = {name: value.machine if isinstance(value, Kernel) else value for name, value in function.__globals__.items()
             if name in function.__code__.co_names}  # fmt: skip
    named = FunctionType(
        function.__code__, {**names, "__builtins__": __builtins__}, function.__name__
    )
    machine: Callable[..., Any] = njit(nogil=True)(named)
    return machine
