"""`tocsin explain`."""

from __future__ import annotations

from tocsin.cli.console import DONE, WRONG, complain, say
from tocsin.cli.part_page import BRIDGES, bridge_page, page
from tocsin.compiler.grammar import near
from tocsin.parts.registry import Location, load, locations
from tocsin.steps.catalogue import built_in_steps


def explain(name: str) -> int:
    """Show what a part computes, its parameters with units, and a step to copy into a job.

    Parameters
    ----------
    name
        A step type, aggregation or detector, such as Detect, quantile or robust_z.
    """
    if name in BRIDGES:
        say(bridge_page(name))
        return DONE
    places = _places()
    if name not in places:
        known = [*BRIDGES, *places]
        complain(f"no part '{name}'{near(name, known)} (see `tocsin list`)")
        return WRONG
    place = places[name]
    say(page(place.name_in_jobs, load(place)))
    return DONE


def _places() -> dict[str, Location]:
    """Parts by the name of their file and by the name that jobs use."""
    found: dict[str, Location] = {}
    for place in (*built_in_steps().values(), *locations().values()):
        found.setdefault(place.name, place)
        found[place.type_name] = place
    return found
