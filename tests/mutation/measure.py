"""A pytest plugin: how long each test took and whether it passed, and a limit on each test's time.

TOCSIN_MEASURE: the JSON file to write. TOCSIN_TEST_SECONDS: the limit in seconds of the processor,
so that other load does not matter; none by default.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SECONDS: dict[str, float] = {}
_FAILED: set[str] = set()


class OutOfTime(BaseException):
    """A test ran longer than its limit. No `except Exception` in the code swallows it."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Stop a test at its limit."""
    limit = float(os.environ.get("TOCSIN_TEST_SECONDS", "0"))

    def stop(*_: Any) -> None:
        raise OutOfTime(item.nodeid)

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add the time of a phase."""
    _SECONDS[report.nodeid] = _SECONDS.get(report.nodeid, 0.0) + report.duration
    if report.outcome != "passed":
        _FAILED.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write the file."""
    found = {name: seconds for name, seconds in _SECONDS.items() if name not in _FAILED}
    text = json.dumps({"seconds": found, "failed": sorted(_FAILED)}, indent=1)
    Path(os.environ["TOCSIN_MEASURE"]).write_text(text)
