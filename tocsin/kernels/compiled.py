"""Loops that a recurrence forces, compiled on first use.

The plain Python version stays as the oracle of tests.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Compiled:
    """A function of NumPy arrays that Numba compiles when it is first called.

    Numba is imported only then, because that import takes about a second. `plain` is the same
    function, not compiled. The machine code is kept on disk until the function, or something that
    it reads or calls, changes (`machine_stamp`).
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.plain = function
        self.__doc__ = function.__doc__

    @cached_property
    def _machine(self) -> Callable[..., Any]:
        return kept(machine_of(self.plain), self.plain.__qualname__, self.plain)

    def __call__(self, *arguments: Any) -> Any:
        """Run what Numba made of it."""
        return self._machine(*arguments)


def compiled(function: Callable[..., Any]) -> Compiled:
    """Mark a function of arrays and numbers as one that is compiled on first use."""
    return Compiled(function)


class Kernel(Generic[P, R]):
    """A function that compiled functions call.

    A call from Python runs the plain function. `machine` is what Numba makes of it.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        self.plain = function
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        """Run the plain function."""
        return self.plain(*arguments, **named)

    @cached_property
    def machine(self) -> Callable[..., Any]:
        """The compiled function, together with the kernels that it calls."""
        return machine_of(self.plain)


def kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """Mark a function of arrays and numbers as one that compiled functions may call."""
    return Kernel(function)


def _called(function: Any) -> dict[str, Kernel[..., Any]]:
    """The kernels that a function calls, by the name it calls them."""
    scope, names = function.__globals__, function.__code__.co_names
    return {name: scope[name] for name in names if isinstance(scope.get(name), Kernel)}


def kept(machine: Callable[..., Any], name: str, *made_from: Any) -> Callable[..., Any]:
    """Let machine code outlive the process.

    name: of its files. made_from: functions and data that it depends on, as `stamp_of`.
    """
    if machine.__class__ is FunctionType:
        # NUMBA_DISABLE_JIT=1: a debugger or a coverage run sees every line.
        return machine
    from tocsin.kernels.machine_cache import keep
    from tocsin.kernels.machine_stamp import Unstampable, stamp_of

    # A function that reads a value of unknown content is compiled in each process.
    with suppress(Unstampable):
        keep(machine, name, stamp_of(*made_from))
    return machine


def machine_of(function: Any, **named: Any) -> Callable[..., Any]:
    """A function compiled with Numba, with the kernels that it calls.

    named: what it calls under names that its own module does not define.
    """
    from numba import njit

    machines = {name: kernel.machine for name, kernel in _called(function).items()}
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **machines, **named},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__qualname__ = function.__qualname__
    machine: Callable[..., Any] = njit(nogil=True)(copy)
    return machine
