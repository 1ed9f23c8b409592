"""`tocsin explain`."""

from __future__ import annotations

import inspect
from typing import Any

from tocsin.cli.console import DONE, WRONG, complain, say
from tocsin.compiler.checker import FRAMEWORK_PARTS
from tocsin.compiler.grammar import near
from tocsin.parts.aggregation import Aggregation
from tocsin.parts.detector import Detector, width_of
from tocsin.parts.part import Part
from tocsin.parts.registry import load, locations


def explain(name: str) -> int:
    """Explain a part: what it gives, its parameters with units, and examples.

    Parameters
    ----------
    name
        A step type, aggregation or detector, such as Detect, quantile or robust_z.
    """
    parts: dict[str, Any] = dict(FRAMEWORK_PARTS)
    for place in locations().values():
        parts[place.name] = parts[place.type_name] = place
    if name not in parts:
        complain(f"no part '{name}'{near(name, list(parts))} (see `tocsin list`)")
        return WRONG
    found = parts[name]
    say(page(found if isinstance(found, type) else load(found)))
    return DONE


def page(part: type[Part]) -> str:
    """A part's page in Markdown, from its own declarations."""
    lines = [f"# {part.__name__}", "", inspect.cleandoc(part.__doc__ or ""), ""]
    fields = part.model_fields
    if fields:
        lines += ["| parameter | default | what |", "|---|---|---|"]
        schema = part.model_json_schema(by_alias=True)["properties"]
        for key, info in fields.items():
            shown = info.alias or key
            default = (
                "required"
                if info.is_required()
                else f"`{schema[shown].get('default', info.default)}`"
            )
            lines.append(f"| `{shown}` | {default} | {info.description or ''} |")
        lines.append("")
    for config, given, expected in part.examples:
        lines.append(f"Example: `{config}` over `{given}` gives `{expected}`")
    if issubclass(part, Detector) and not any(f.is_required() for f in fields.values()):
        lines += ["", f"State: {8 * width_of(part())} bytes a sensor with the defaults."]
    if issubclass(part, Aggregation):
        lines += [
            "",
            "Null and NaN are missing and skipped; infinities are values. Duplicates count (see Deduplicate).",
        ]
    return "\n".join(lines).rstrip()
