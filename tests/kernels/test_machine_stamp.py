"""The stamp of machine code changes with what a function computes, and with nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from collections import namedtuple
from enum import Enum
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tocsin.kernels
from tocsin.kafka import librdkafka
from tocsin.kernels.compiled import Compiled, Kernel
from tocsin.kernels.machine_stamp import Unstampable, stamp_of
from tocsin.parts.registry import find, names_of

SOURCE = """
import numpy as np
import limits
from limits import kernel, Pair, TABLE

def outer(values, scale=2.0):
    def inner(value):
        return value * limits.FACTOR + 1.0
    found = 0.0
    for value in values:
        found += kernel(inner(value)) * TABLE[0] + np.nan + limits.Level.high.value
    return Pair(found, scale)
"""


def limits(**changed: Any) -> ModuleType:
    """The module that the source imports."""
    module = ModuleType("limits")
    values = {
        "FACTOR": 3.0,
        "TABLE": np.arange(3),
        "Pair": pair("first", "second"),
        "OTHER": 1,
        "offset": 5,
    }
    vars(module).update(values | changed)
    vars(module)["kernel"] = Kernel(
        made("def kernel(x):\n    return x + offset\n", "kernel", vars(module))
    )
    return module


def level(high: int) -> Any:
    return Enum("Level", {"low": 0, "high": high}, module="limits")


def pair(*fields: str) -> Any:
    return namedtuple("Pair", fields, module="limits")  # noqa: PYI024 - names are data


def made(source: str, name: str, scope: dict[str, Any]) -> Any:
    here = dict(scope)
    exec(compile(source, "anywhere.py", "exec"), here)
    return here[name]


def stamp(source: str = SOURCE, **changed: Any) -> str:
    module = limits(**changed)
    scope = {name: getattr(module, name) for name in ("kernel", "Pair", "TABLE")}
    body = source.replace("import limits\n", "").replace(
        "from limits import kernel, Pair, TABLE\n", ""
    )
    return stamp_of(made(body, "outer", scope | {"limits": module, "__name__": "m"}))


def test_comments_lines_and_what_is_not_read_change_nothing() -> None:
    assert stamp() == stamp("# A comment.\n\n\n" + SOURCE) == stamp(OTHER=2)


def test_flags_that_a_profiler_changes_do_not_count() -> None:
    """Numba's dispatcher changes the code of a function that runs under cProfile."""
    function = made("def kernel(x):\n    return x\n", "kernel", {})
    before = stamp_of(function)
    function.__code__ = function.__code__.replace(co_flags=function.__code__.co_flags ^ 0x1000001)
    assert stamp_of(function) == before


@pytest.mark.parametrize(
    "changed",
    [
        {"FACTOR": 4.0},
        {"FACTOR": 3},
        {"TABLE": np.array([0, 1, 3])},
        {"TABLE": np.arange(3.0)},
        {"offset": 6},
        {"Level": level(2)},
        {"source": SOURCE.replace("scale=2.0", "*, scale=2.0")},
        {"Pair": pair("second", "first")},
        {"source": SOURCE.replace("+ 1.0", "+ 1.5")},
        {"source": SOURCE.replace("scale=2.0", "scale=2.5")},
        {"source": SOURCE.replace("np.nan", "np.inf")},
    ],
    ids=str,
)
def test_whatever_the_result_depends_on_changes_it(changed: dict[str, Any]) -> None:
    assert stamp(**changed) != stamp()


def test_the_content_of_a_closure_counts() -> None:
    def with_factor(factor: Any) -> Any:
        return lambda x: x * factor

    assert stamp_of(with_factor(2.0)) == stamp_of(with_factor(2.0))
    assert stamp_of(with_factor(2.0)) != stamp_of(with_factor(3.0))


def test_a_value_of_unknown_content_has_no_stamp() -> None:
    """Its machine code would be used after the value has changed."""
    with pytest.raises(Unstampable):
        stamp(TABLE=object())
    with pytest.raises(Unstampable):
        stamp(TABLE=np.array([object()]))
    with pytest.raises(Unstampable):
        stamp(TABLE=np.random.default_rng(1))


def test_every_function_of_tocsin_has_a_stamp() -> None:
    """One without a stamp would be compiled in every process."""
    found = set()
    places = pkgutil.walk_packages(tocsin.kernels.__path__, "tocsin.kernels.")
    for module in (librdkafka, *(importlib.import_module(place.name) for place in places)):
        for one in vars(module).values():
            if isinstance(one, Compiled | Kernel):
                found.add(stamp_of(one))
    assert len(found) > 40
    for name in names_of("detectors"):
        recurrence = find("detectors", name).recurrence()
        if recurrence is not None:
            found.add(stamp_of(recurrence.step))
    assert len(found) > 55
