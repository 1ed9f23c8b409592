"""The pieces that laws are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class BrokenLaw(AssertionError):
    """A part breaks a law; the text shows where."""


@dataclass(frozen=True)
class Law:
    """A law. name: a sentence. holds: raises BrokenLaw if the class of a part breaks it."""

    name: str
    holds: Callable[[Any], None]


def law(function: Callable[[Any], None]) -> Law:
    """A law from a function that raises BrokenLaw."""
    return Law(function.__name__, function)


def demand(condition: bool, sentence: str) -> None:
    """Raise BrokenLaw unless the condition holds."""
    if not condition:
        raise BrokenLaw(sentence)


def instances(part: type[Any]) -> list[Any]:
    """The part in the configurations of its examples, or with its defaults."""
    configs = [dict(config) for config, _, _ in part.examples] or [{}]
    return [part(**config) for config in configs]
