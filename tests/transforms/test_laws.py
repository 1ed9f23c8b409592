"""Every part obeys the laws of its kind, and each mutant is caught by the law that it breaks.

A mutant is a part that is wrong on purpose.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.mutants import parts, steps
from tests.support.first_rows import FirstRows
from tocsin.laws import BrokenLaw, laws_of
from tocsin.parts.registry import load, locations
from tocsin.steps.catalogue import built_in_steps

PLACES = (*locations().values(), *built_in_steps().values())
PARTS = [*map(load, PLACES), FirstRows]
CASES = [(part, law) for part in PARTS for law in laws_of(part)]


@pytest.mark.parametrize(
    ("part", "law"), CASES, ids=[f"{p.__name__}-{law.name}" for p, law in CASES]
)
def test_law(part: Any, law: Any) -> None:
    law.holds(part)


def mutants() -> list[tuple[str, Any]]:
    return [(part.caught_by, part) for part in (*parts.MUTANTS, *steps.MUTANTS)]


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
