"""The laws for each kind of part."""

from __future__ import annotations

from tocsin.laws import (
    aggregations,
    detectors,
    every_part,
    growth,
    sinks,
    sources,
    steps,
    transforms,
)
from tocsin.laws.kit import BrokenLaw, Law
from tocsin.parts.aggregation import Aggregation
from tocsin.parts.detector import Detector
from tocsin.parts.part import Part
from tocsin.parts.sink import Sink
from tocsin.parts.source import Source
from tocsin.parts.stateful_step import StatefulStep
from tocsin.parts.transform import Transform


def laws_of(part: type[Part]) -> list[Law]:
    """All laws for a part: those for every part and those for its kind."""
    kinds: list[tuple[type[Part], list[Law]]] = [
        (Aggregation, aggregations.LAWS),
        (Detector, detectors.LAWS),
        (Transform, transforms.LAWS),
        (StatefulStep, [*steps.LAWS, *growth.LAWS]),
        (Source, sources.LAWS),
        (Sink, sinks.LAWS),
    ]
    return [
        *every_part.LAWS,
        *(found for kind, laws in kinds if issubclass(part, kind) for found in laws),
    ]


def run_laws(part: type[Part]) -> list[tuple[Law, str | None]]:
    """Each law with the sentence about how the part breaks it, or None.

    A law is left out if the part's library is not installed.
    """
    results: list[tuple[Law, str | None]] = []
    for found in laws_of(part):
        try:
            found.holds(part)
            results.append((found, None))
        except BrokenLaw as broken:
            results.append((found, str(broken)))
        except Exception as error:  # noqa: BLE001 - a part may raise anything
            if "is not installed: pip install" in str(error):
                continue
            results.append((found, f"{type(error).__name__}: {error}"))
    return results
