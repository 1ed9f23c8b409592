"""Every part obeys the laws of its kind, and each mutant is caught by the law that it breaks.

A mutant is a part that is wrong on purpose.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from tocsin.laws import BrokenLaw, laws_of
from tocsin.parts.registry import load, locations
from tocsin.steps.catalogue import built_in_steps

PARTS = [load(place) for place in (*locations().values(), *built_in_steps().values())]
CASES = [(part, law) for part in PARTS for law in laws_of(part)]


@pytest.mark.parametrize(
    ("part", "law"), CASES, ids=[f"{p.__name__}-{law.name}" for p, law in CASES]
)
def test_law(part: Any, law: Any) -> None:
    law.holds(part)


def mutants() -> list[tuple[str, Any]]:
    file = Path(__file__).parents[1] / "mutants" / "parts.py"
    spec = importlib.util.spec_from_file_location("mutant_parts", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutant_parts"] = module
    spec.loader.exec_module(module)
    return [(part.caught_by, part) for part in module.MUTANTS]


@pytest.mark.parametrize(
    ("caught_by", "mutant"), mutants(), ids=lambda value: getattr(value, "__name__", value)
)
def test_the_law_catches_the_mutant(caught_by: str, mutant: Any) -> None:
    (law,) = [law for law in laws_of(mutant) if law.name == caught_by]
    with pytest.raises(BrokenLaw):
        law.holds(mutant)


def test_every_law_catches_some_mutant() -> None:
    named = {caught_by for caught_by, _ in mutants()}
    assert {law.name for part in PARTS for law in laws_of(part)} - named == set()
