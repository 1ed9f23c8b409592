"""Laws for every part."""

from __future__ import annotations

import pickle
from typing import Any

from tocsin.laws.kit import demand, instances, law


def it_is_documented(part: Any) -> None:
    """A first line of its own, and a description for each parameter."""
    own = vars(part).get("__doc__") or ""
    demand(
        len(own.strip().splitlines()[0:1]) == 1 and len(own) > 20,
        f"{part.__name__} needs a docstring that says what it gives",
    )
    for name, field in part.model_fields.items():
        demand(bool(field.description), f"the parameter '{name}' needs a help text")


def it_survives_pickle_and_json(part: Any) -> None:
    """Workers get it by pickle, plans show it as JSON."""
    for made in [] if _needs_a_place(part) else instances(part):
        demand(pickle.loads(pickle.dumps(made)) == made, f"{made!r} is another after pickling")
        made.model_dump_json(by_alias=True)


def _needs_a_place(part: Any) -> bool:
    """Sources and sinks need files or topics; their own laws make one."""
    return hasattr(part, "sample") or (
        any(f.is_required() for f in part.model_fields.values()) and not part.examples
    )


LAWS = [law(it_is_documented), law(it_survives_pickle_and_json)]
