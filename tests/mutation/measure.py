"""A pytest plugin: how long each test took and whether it passed, and a limit on each test's time.

TOCSIN_MEASURE: the JSON file to write. TOCSIN_TEST_SECONDS: the limit, none by default. All seconds
are of the processor, so that other load does not matter.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SECONDS: dict[str, float] = {}
_FAILED: set[str] = set()


class OutOfTime(BaseException):
    """A test ran longer than its limit. No `except Exception` in the code swallows it."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note the time of a test with its fixtures."""
    began = time.process_time()
    try:
        return (yield)
    finally:
        _SECONDS[item.nodeid] = time.process_time() - began


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
    """Note a failure in any phase."""
    if report.outcome != "passed":
        _FAILED.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write the file."""
    found = {name: seconds for name, seconds in _SECONDS.items() if name not in _FAILED}
    text = json.dumps({"seconds": found, "failed": sorted(_FAILED)}, indent=1)
    Path(os.environ["TOCSIN_MEASURE"]).write_text(text)
