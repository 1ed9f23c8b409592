"""A part's page in Markdown, from its own declarations."""

from __future__ import annotations

import inspect
import json
from typing import Any

from tocsin.cli.part_example import example_configuration, example_step
from tocsin.parts.aggregation import Aggregation
from tocsin.parts.detector import Detector, width_of
from tocsin.parts.part import Part

BRIDGES = {
    "ToRows": "Turns batches into Beam rows, for the Beam YAML transforms that a job may use.",
    "ToBatches": "Turns Beam rows back into batches, for the steps of Tocsin.",
}
_MISSING = (
    "Null and NaN are missing and skipped; infinities are values. "
    "Duplicates count: see Deduplicate."
)


def page(name: str, part: type[Part]) -> str:
    """The page of a part under the name that jobs use, such as `acme/spread`."""
    blocks = [
        f"# {name}",
        inspect.cleandoc(part.__doc__ or ""),
        _in_a_job(example_step(name, part)),
        _parameters(part),
        *_notes(part),
        "\n".join(_examples(part)),
    ]
    return "\n\n".join(block for block in blocks if block)


def bridge_page(name: str) -> str:
    """The page of a step between Tocsin's batches and Beam's rows."""
    return f"# {name}\n\n{BRIDGES[name]} It has no parameters.\n\n{_in_a_job(f'- type: {name}')}"


def _in_a_job(step: str) -> str:
    return f"```yaml\n{step}\n```"


def _parameters(part: type[Part]) -> str:
    if not part.model_fields:
        return ""
    lines = ["| parameter | default | meaning |", "|---|---|---|"]
    schema = part.model_json_schema(by_alias=True)["properties"]
    for field, info in part.model_fields.items():
        name = info.alias or field
        default = "required" if info.is_required() else _default(schema[name], info.default)
        lines.append(f"| `{name}` | {default} | {info.description or ''} |")
    return "\n".join(lines)


def _default(schema: dict[str, Any], default: Any) -> str:
    """As a job writes it."""
    value = schema.get("default", default)
    if value is None:
        return "none"
    return f"`{value if isinstance(value, str) and value else json.dumps(value, default=str)}`"


def _notes(part: type[Part]) -> list[str]:
    if issubclass(part, Detector):
        made = part(**example_configuration(part))
        made = made.of_columns(2) if made.several else made
        return [f"State: {8 * width_of(made)} bytes a sensor, configured as above."]
    if issubclass(part, Aggregation):
        return [_MISSING]
    return []


def _examples(part: type[Part]) -> list[str]:
    return [
        f"Example: `{config}` over `{given}` gives `{expected}`"
        for config, given, expected in part.examples
    ]
