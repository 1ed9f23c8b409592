"""A pytest plugin: the time of each test, its failures, and the compiled functions that it calls.

TOCSIN_MEASURE: the JSON file to write. Seconds are of the processor, so that other load does not
matter. Coverage does not see the lines of compiled code; a call counts for the whole function.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_SECONDS: dict[str, float] = {}
_FAILED: set[str] = set()
# By function (file, first and last line): the tests that call it.
_CALLS: dict[tuple[str, int, int], set[str]] = {}
_CURRENT: list[str] = []


def pytest_sessionstart() -> None:
    """Note calls of compiled functions and recurrences."""
    from tocsin.kernels.compiled import Compiled
    from tocsin.kernels.recurrence import Recurrence

    _watch(Compiled, "__call__", "plain")
    _watch(Recurrence, "run", "step")


def _watch(kind: Any, method: str, function: str) -> None:
    """Let a method note the function that its object compiles."""
    called: Callable[..., Any] = getattr(kind, method)

    def noting(self: Any, *arguments: Any, **named: Any) -> Any:
        for name in _CURRENT:
            for place in _places(getattr(self, function)):
                _CALLS.setdefault(place, set()).add(name)
        return called(self, *arguments, **named)

    setattr(kind, method, noting)


def _places(function: Any) -> Iterator[tuple[str, int, int]]:
    """A function and the kernels that it calls."""
    for one in _with_called(function):
        code = one.__code__
        last = max(line for *_, line in code.co_lines() if line is not None)
        yield code.co_filename, code.co_firstlineno, last


def _with_called(function: Any) -> Iterator[Any]:
    from tocsin.kernels.compiled import _called

    yield function
    for one in _called(function).values():
        yield from _with_called(one.plain)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note the time of a test with its fixtures."""
    _CURRENT.append(item.nodeid)
    began = time.process_time()
    try:
        return (yield)
    finally:
        _SECONDS[item.nodeid] = time.process_time() - began
        _CURRENT.clear()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a failure in any phase."""
    if report.outcome != "passed":
        _FAILED.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write the file."""
    found = {
        "seconds": {name: one for name, one in _SECONDS.items() if name not in _FAILED},
        "failed": sorted(_FAILED),
        "calls": [[*place, sorted(tests)] for place, tests in sorted(_CALLS.items())],
    }
    Path(os.environ["TOCSIN_MEASURE"]).write_text(json.dumps(found, indent=1))
