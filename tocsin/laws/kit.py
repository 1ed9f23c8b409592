"""Which laws a part must obey, and running them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tocsin.parts.aggregation import Aggregation
from tocsin.parts.detector import Detector
from tocsin.parts.part import Part
from tocsin.parts.sink import Sink
from tocsin.parts.source import Source
from tocsin.parts.transform import Transform


class BrokenLaw(AssertionError):
    """A part does not obey a law; the text shows where."""


@dataclass(frozen=True)
class Law:
    """A law: its name is a sentence, and it is given the class of a part."""

    name: str
    holds: Callable[[Any], None]


def law(function: Callable[[Any], None]) -> Law:
    """A law from a function that raises BrokenLaw."""
    return Law(function.__name__, function)


def laws_of(part: type[Part]) -> list[Law]:
    """The laws for a kind of part."""
    from tocsin.laws import aggregations, detectors, every_part, sinks, sources, transforms

    kinds: list[tuple[type[Part], list[Law]]] = [
        (Aggregation, aggregations.LAWS),
        (Detector, detectors.LAWS),
        (Transform, transforms.LAWS),
        (Source, sources.LAWS),
        (Sink, sinks.LAWS),
    ]
    return [*every_part.LAWS, *(found for kind, laws in kinds if issubclass(part, kind) for found in laws)]


def run_laws(part: type[Part]) -> list[tuple[Law, str | None]]:
    """Each law with what breaks it, or None."""
    results: list[tuple[Law, str | None]] = []
    for found in laws_of(part):
        try:
            found.holds(part)
            results.append((found, None))
        except BrokenLaw as broken:
            results.append((found, str(broken)))
        except Exception as error:
            if "is not installed: pip install" in str(error):
                # An adapter without its library: nothing can be said of it here.
                continue
            results.append((found, f"{type(error).__name__}: {error}"))
    return results


def demand(condition: bool, sentence: str) -> None:
    """Raise BrokenLaw where the condition does not hold."""
    if not condition:
        raise BrokenLaw(sentence)


def instances(part: type[Any]) -> list[Any]:
    """The part in the configurations of its examples, or with its defaults."""
    configs = [dict(config) for config, _, _ in part.examples] or [{}]
    return [part(**config) for config in configs]
