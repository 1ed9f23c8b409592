"""All step types that a job may name: the built-in stateful steps and the registry's."""

from __future__ import annotations

from pathlib import Path

from tocsin.foundation.failure import Failure
from tocsin.parts import registry
from tocsin.parts.registry import Location

_FOLDER = Path(__file__).parent
_BUILT_IN = {
    "aggregate": "aggregate/step",
    "detect": "detect/step",
    "deduplicate": "deduplicate/step",
    "window_join": "window_join/step",
    "lookup": "lookup/step",
    "shift": "ordered/shift",
    "quality_control": "ordered/quality_control",
    "buddy_check": "ordered/buddy_check",
    "manage_alarms": "manage_alarms/step",
}
"""File of each built-in stateful step, by its name in snake case."""


def built_in_steps() -> dict[str, Location]:
    """The built-in stateful steps, by the `type` that a job gives them."""
    found = [
        Location(name, "steps", f"tocsin.steps.{file.replace('/', '.')}", _FOLDER / f"{file}.py")
        for name, file in _BUILT_IN.items()
    ]
    return {place.type_name: place for place in found}


def step_types() -> dict[str, Location]:
    """Every step by its `type`: sources, transforms, stateful steps and sinks.

    Raises Failure if a part has the name of a built-in step.
    """
    built_in, others = built_in_steps(), registry.step_types()
    for name in built_in.keys() & others.keys():
        raise Failure(
            f"'{name}' is a built-in step; rename the part that {others[name].file} defines"
        )
    return {**built_in, **others}
