"""Defaults and limits of every part: a job that does not name a value relies on its default.

After a change that is meant, `pytest tests/parts/test_defaults.py --force-regen` writes the list.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tocsin.parts.registry import load, locations
from tocsin.steps.catalogue import built_in_steps

LIST = Path(__file__).with_suffix(".txt")


# Texts, and forms of the schema that the type checks of a job cover.
_LEFT_OUT = {"title", "description", "examples", "type", "$ref", "items", "additionalProperties"}


def described(name: str, part: Any) -> list[str]:
    """A line for each field with a default or a limit."""
    lines = []
    for field, facts in part.model_json_schema().get("properties", {}).items():
        # `… | None` has its limits in the alternatives.
        facts |= {key: value for one in facts.pop("anyOf", []) for key, value in one.items()}
        limits = {key: facts[key] for key in sorted(facts.keys() - _LEFT_OUT)}
        if limits:
            lines.append(f"{name}.{field}: {limits}")
    return lines


def test_defaults_and_limits_are_those_that_jobs_rely_on(file_regression: Any) -> None:
    known = {
        place.name_in_jobs: load(place)
        for place in (*locations().values(), *built_in_steps().values())
    }
    lines = [line for name in sorted(known) for line in described(name, known[name])]
    file_regression.check("\n".join(lines) + "\n", fullpath=LIST)
