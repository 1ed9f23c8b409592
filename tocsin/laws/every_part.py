"""Laws for every part."""

from __future__ import annotations

import inspect
import pickle
import re
import sys
from collections.abc import Iterator
from typing import Any

from tocsin.laws.kit import demand, instances, law

_SHORTEST = 20
_TO_DO = re.compile(r"\b(TODO|FIXME|TBD|XXX)\b")


def it_is_documented(part: Any) -> None:
    """A docstring of its own and a help text for each parameter, none of them still to do."""
    own = inspect.cleandoc(vars(part).get("__doc__") or "")
    demand(
        len(own.partition("\n")[0]) > _SHORTEST,
        f"{part.__name__} needs a docstring whose first line says what it computes",
    )
    left = {where: found[0] for where, text in _texts(part) if (found := _TO_DO.search(text))}
    demand(not left, "; ".join(f"{where} still says {word}" for where, word in left.items()))
    for name, field in part.model_fields.items():
        demand(bool(field.description), f"the parameter '{name}' needs a help text")


def _texts(part: Any) -> Iterator[tuple[str, str]]:
    """All that a part's file and class say about it, with the place of each."""
    yield f"the docstring of {part.__name__}", vars(part).get("__doc__") or ""
    module = sys.modules.get(part.__module__)
    yield f"the docstring of the module {part.__module__}", getattr(module, "__doc__", None) or ""
    for name, value in vars(part).items():
        function = getattr(value, "__func__", value)
        if inspect.isfunction(function):
            yield f"the docstring of `{name}`", function.__doc__ or ""
    for name, field in part.model_fields.items():
        yield f"the help text of '{name}'", field.description or ""


def it_survives_pickle_and_json(part: Any) -> None:
    """Workers receive it by pickle, and plans show it as JSON."""
    for made in [] if _needs_a_place(part) else instances(part):
        copy = pickle.loads(pickle.dumps(made))  # noqa: S301 - bytes of our own
        demand(copy == made, f"{made!r} is another after pickling")
        made.model_dump_json(by_alias=True)


def _needs_a_place(part: Any) -> bool:
    """Whether an instance needs files or topics: the laws for sources and sinks make some."""
    return hasattr(part, "sample") or (
        any(f.is_required() for f in part.model_fields.values()) and not part.examples
    )


LAWS = [law(it_is_documented), law(it_survives_pickle_and_json)]
